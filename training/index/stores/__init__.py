"""Where the nearest vectors are found: back ends behind one small interface."""

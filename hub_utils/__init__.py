"""Talk to the Hub: settings, names, push, pull, cards, deploy; and the embedded Hub."""

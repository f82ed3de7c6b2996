"""What the recipes share: seed, device, schedule, checkpoint, progress, data."""

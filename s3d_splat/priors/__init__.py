"""What comes from sensors, from the capture itself or from models of others, before anything is joined."""

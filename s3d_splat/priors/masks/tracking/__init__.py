"""Objects followed through the frames of a cluster: proposals, a tracker, and chunks that bound its memory."""

"""From trained anchors to objects: over-segments, a graph between them, and the masks as evidence."""

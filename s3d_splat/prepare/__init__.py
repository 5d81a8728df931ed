"""`s3d-splat prepare`: from a capture to a scene folder, in stages that a killed call goes on from."""

"""The method `scale3d-splat` for nerfstudio: its Trainer, viewer, logging and commands around the session of `s3d_splat`."""

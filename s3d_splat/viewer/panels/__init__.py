"""The parts of the sidebar, one file each: what a panel changes is a `ViewState` or the shared document."""

"""The compiled CPU kernels: C++17 with a plain C interface, called through ctypes, built without torch or Python headers."""

"""Field devices, both directions: points and registers, sessions, the executor, and the simulator of the examples."""

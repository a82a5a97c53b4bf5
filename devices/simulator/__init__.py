"""The simulated plant: reads the plant folder and control requests, writes registers that Modbus clients see."""

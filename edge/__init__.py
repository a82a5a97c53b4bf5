"""The box beside the machine. Reads devices, and commands over MQTT; writes frames, facts and replies to the plant.

One reading's way: `poller` scans a device, `journal` keeps the scan on disk under the next number, `uplink` publishes
it until the plant confirms that number. One command's way: `uplink`, `executor` (remembers, writes, reads back),
`journal`. Where an area's home is this edge, `home` decides between the two.
"""

"""What is counted before anything has happened."""

NO_STATUS = {
    "sessions": {},
    "opened": {},
    "ended": {},
    "ended_by": {},
    "traffic": {"messages": {"in": {}, "out": {}}, "bytes": {"in": {}, "out": {}}},
    "handshakes": {},
    "durations": {},
    "oddities": {},
    "passed_over": 0,
    "refused": {},
    "refused_by": {"listener": {}, "route": {}, "dialect": {}},
    "disconnected": {},
    "http": {},
    "policies": 0,
}

"""What is counted before anything has happened."""

NO_STATUS = {
    "sessions": {},
    "opened": {},
    "ended": {},
    "ended_by": {},
    "messages": {"in": 0, "out": 0},
    "bytes": {"in": 0, "out": 0},
    "oddities": {},
    "passed_over": 0,
    "refused": {},
    "disconnected": {},
    "http": {},
    "policies": 0,
}

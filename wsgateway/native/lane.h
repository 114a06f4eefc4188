/* One direction of a session, as C sees it: what frames of it look like, and how far its current frame has come.

   The attributes that Python sees are in `_step.pyi`; the others are set by `Lane.equip` and do not change after it. */
#ifndef WSGATEWAY_LANE_H
#define WSGATEWAY_LANE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stddef.h>
#include <stdint.h>

/* A target's head without a mask key, and with one; as `frames.MAX_HEAD_BYTES`. */
enum { MAX_HEAD = 10, KEY_BYTES = 4 };
/* The most bytes that a message of two bytes or more becomes, for each of its bytes: 00 FF of hixie becomes an empty
   frame with a mask key, 6 bytes. Longer messages grow less. */
enum { GROWTH = 3 };

/* The frames of one side, if a frame is a whole message; as `base.Layout`. */
typedef struct {
    int text;   /* the first byte of a text; 0: texts are delimited by 00 and FF */
    int binary; /* the first byte of a binary message; -1: there is none, or it is converted */
    int masked; /* whether a mask covers the payload */
} Layout;

typedef struct {
    PyObject_HEAD
    long long received;          /* bytes that have come from the side */
    unsigned long long passed;   /* whole messages that C has passed on */
    unsigned long long left;     /* bytes of the current frame that are still to come; only where frames are walked */
    int read_bytes;              /* the size of the next read */
    char open;                   /* whether C may read the side */
    char equipped;               /* whether the attributes below are set */
    unsigned char walks;         /* whether frames pass unchanged */
    unsigned char checks;        /* whether text must be UTF-8 */
    int fd, to;                  /* the socket of the side, and that of the other side */
    int extension;               /* the bit of the first byte that an extension may set */
    unsigned long long limit;    /* the longest message, in bytes */
    Layout source, target;
} Lane;

extern PyTypeObject *lane_type;
extern PyType_Spec turn_spec;

/* Raised with every change of what Python and C expect of each other; `__init__.py` has the same number. */
enum { INTERFACE = 3 };

/* What an event of `Turn.take` says; see `_step.pyi`. `__init__.py` has the same numbers. */
enum { READY, BYTES, FAILED, BROKEN, SHORT, OTHER };

/* Bytes for the other side, in memory of somebody else. */
typedef struct {
    uint8_t *data;
    size_t size, used;
} Output;

/* Writes `size` bytes of `from` under a mask to `to`, which may be the same place. */
void mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[KEY_BYTES]);

/* Both take bytes of the side, and return how many were taken: whole messages, and of a walk also the beginning of one.
   What remains is for Python: it is not whole, or not usual. `passed` counts the messages. */
size_t lane_walk(Lane *lane, const uint8_t *data, size_t have);
/* Writes what goes to the other side to `out`. `keys` yields the mask keys. Sets an exception and returns -1 if that
   raises; what was taken before is lost then. */
ptrdiff_t lane_translate(Lane *lane, const uint8_t *data, size_t have, Output *out, PyObject *keys);

#endif

/* One turn of the relay: every socket that is ready is read, what came is passed on, and what is not usual goes to Python.

   This is the usual case of `Engine._serve` (relay/engine.py). It is used only for endpoints that Python has
   opened, so that nothing is waiting for them; and it reads a socket once in each `take`, of which a turn may have several. */
#include "lane.h"
#include <errno.h>
#include <string.h>
#include <structmember.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* As in `__init__.py`. */
enum { MOST_READY = 64 };
/* Of as many messages in one read, reads become smaller, because their mask keys take long. */
enum { MANY_MESSAGES = 4096 };

/* Data to send at the end of the turn. */
typedef struct {
    int fd;
    size_t at, size;
} Small;

typedef struct {
    PyObject_HEAD
    int epoll;
    PyObject *endpoints; /* a dict of endpoints by the numbers of their sockets */
    PyObject *keys;
    size_t read_bytes, small_bytes;
    uint8_t *in;
    Output out, small; /* of one read; and of all small data of the turn */
    Small smalls[MOST_READY];
    int count;
    char full; /* whether more sockets may be ready */
} Turn;

/* Adds an event to a list. Takes over `value`, which may be NULL with an exception. Returns 0, or -1 with an exception. */
static int add(PyObject *events, int what, PyObject *endpoint, PyObject *value) {
    PyObject *event = value ? Py_BuildValue("(iON)", what, endpoint, value) : NULL;
    int failed = event ? PyList_Append(events, event) : -1;
    Py_XDECREF(event);
    return failed;
}

/* Adds an event with the exception that is set, which is not set any more. */
static int add_exception(PyObject *events, int what, PyObject *endpoint) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return add(events, what, endpoint, value);
}

/* Returns the endpoint of a socket, borrowed; None where there is none, and NULL with an exception. */
static PyObject *endpoint_of(Turn *self, int fd) {
    PyObject *number = PyLong_FromLong(fd);
    PyObject *endpoint = number ? PyDict_GetItemWithError(self->endpoints, number) : NULL;
    Py_XDECREF(number);
    return endpoint || PyErr_Occurred() ? endpoint : Py_None;
}

/* Sends data. What is not accepted becomes an event for its receiver, and that comes before all others: what else is
   sent in this turn follows it. */
static int send_now(Turn *self, PyObject *events, int fd, const uint8_t *data, size_t size) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
        return 0; /* it is disconnected; its unread bytes are still to be read, and then its end is reported */
    size_t accepted = sent < 0 ? 0 : (size_t)sent;
    if (accepted == size)
        return 0;
    PyObject *receiver = endpoint_of(self, fd);
    PyObject *rest = receiver ? PyBytes_FromStringAndSize((const char *)data + accepted, (Py_ssize_t)(size - accepted)) : NULL;
    PyObject *event = rest ? Py_BuildValue("(iON)", SHORT, receiver, rest) : NULL;
    int failed = event ? PyList_Insert(events, 0, event) : -1;
    Py_XDECREF(event);
    return failed;
}

/* Sends data now, or keeps it for the end of the turn if it is small. */
static int forward(Turn *self, PyObject *events, int fd, const uint8_t *data, size_t size) {
    Output *small = &self->small;
    if (!size)
        return 0;
    /* bound: of a `take` there are at most MOST_READY reads, and so as many small data */
    if (size > self->small_bytes || self->count == MOST_READY || small->size - small->used < size)
        return send_now(self, events, fd, data, size);
    memcpy(small->data + small->used, data, size);
    self->smalls[self->count++] = (Small){fd, small->used, size};
    small->used += size;
    return 0;
}

static int send_small(Turn *self, PyObject *events) {
    int failed = 0;
    for (int at = 0; at < self->count && !failed; at++) {
        Small *each = &self->smalls[at];
        failed = send_now(self, events, each->fd, self->small.data + each->at, each->size);
    }
    self->count = 0;
    self->small.used = 0;
    return failed;
}

/* Makes the reads of a side smaller or larger after one; `most` bytes are the most. */
static void adapt(Lane *lane, size_t size, size_t most, unsigned long long messages) {
    if (messages > MANY_MESSAGES)
        lane->read_bytes = (int)(size / 4); /* it is more than 0: a message has at least 2 bytes */
    else if (size == (size_t)lane->read_bytes && size < most)
        lane->read_bytes = (int)(2 * size < most ? 2 * size : most);
}

/* Passes bytes of a side on; what is not usual becomes an event. */
static int pass(Turn *self, PyObject *events, PyObject *endpoint, size_t have) {
    Lane *lane = (Lane *)endpoint;
    const uint8_t *data = self->in;
    unsigned long long passed = lane->passed, left = lane->left;
    ptrdiff_t taken;
    if (lane->walks) {
        taken = (ptrdiff_t)lane_walk(lane, data, have);
    } else {
        self->out.used = 0;
        taken = lane_translate(lane, data, have, &self->out, self->keys);
        if (taken < 0)
            return add_exception(events, BROKEN, endpoint);
    }
    lane->received += (long long)have;
    if ((size_t)taken == have)
        adapt(lane, have, self->read_bytes, lane->passed - passed);
    if (lane->walks ? forward(self, events, lane->to, data, (size_t)taken)
                    : forward(self, events, lane->to, self->out.data, self->out.used))
        return -1;
    if (lane->left != left) { /* the walker knows how far its frame has come, too */
        PyObject *walker = PyObject_GetAttrString(endpoint, "translator");
        PyObject *number = PyLong_FromUnsignedLongLong(lane->left);
        int failed = !walker || !number || PyObject_SetAttrString(walker, "left", number);
        Py_XDECREF(walker);
        Py_XDECREF(number);
        if (failed)
            return -1;
    }
    if ((size_t)taken == have)
        return 0;
    return add(events, BYTES, endpoint, PyBytes_FromStringAndSize((const char *)data + taken, (Py_ssize_t)have - taken));
}

/* Reads a socket that is ready, if Python allows it. */
static int serve(Turn *self, PyObject *events, int fd, uint32_t ready) {
    PyObject *endpoint = endpoint_of(self, fd);
    if (!endpoint)
        return -1;
    if (!PyObject_TypeCheck(endpoint, lane_type))
        return add(events, OTHER, Py_None, PyLong_FromLong(fd));
    Lane *lane = (Lane *)endpoint;
    if (!lane->equipped || !lane->open || ready != EPOLLIN)
        return add(events, READY, endpoint, PyLong_FromUnsignedLong(ready));
    size_t most = lane->read_bytes > 0 ? (size_t)lane->read_bytes : 1;
    /* bound: `in` has `read_bytes` bytes */
    ssize_t got = recv(fd, self->in, most < self->read_bytes ? most : self->read_bytes, 0);
    if (got > 0) {
        Py_INCREF(endpoint); /* code of Python that yields a mask key could end its relay */
        int failed = pass(self, events, endpoint, (size_t)got);
        Py_DECREF(endpoint);
        return failed;
    }
    if (!got) /* Python reads it again, and sees the same */
        return add(events, READY, endpoint, PyLong_FromUnsignedLong(ready));
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return 0;
    PyErr_SetFromErrno(PyExc_OSError); /* the kernel reports it once */
    return add_exception(events, FAILED, endpoint);
}

static PyObject *turn_take(Turn *self, PyObject *none) {
    struct epoll_event ready[MOST_READY];
    PyObject *events = PyList_New(0);
    int failed = !events;
    int count = failed ? 0 : epoll_wait(self->epoll, ready, MOST_READY, 0);
    self->full = count == MOST_READY;
    for (int at = 0; at < count && !failed; at++)
        failed = serve(self, events, ready[at].data.fd, ready[at].events);
    if (!failed && send_small(self, events) == 0)
        return events;
    Py_XDECREF(events);
    return NULL;
}

static void turn_dealloc(Turn *self) {
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->endpoints);
    Py_XDECREF(self->keys);
    PyMem_Free(self->in);
    PyMem_Free(self->out.data);
    PyMem_Free(self->small.data);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *turn_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
    int read_bytes, small_bytes;
    PyObject *epoll, *endpoints, *keys;
    if (!PyArg_ParseTuple(arguments, "OO!Oii", &epoll, &PyDict_Type, &endpoints, &keys, &read_bytes, &small_bytes))
        return NULL;
    int fd = PyObject_AsFileDescriptor(epoll);
    if (fd < 0)
        return NULL;
    if (read_bytes <= 0 || small_bytes <= 0 || !PyIter_Check(keys))
        return PyErr_Format(PyExc_ValueError, "sizes above 0 and an iterator of mask keys are needed");
    Turn *self = (Turn *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!self)
        return NULL;
    self->epoll = fd;
    self->endpoints = Py_NewRef(endpoints);
    self->keys = Py_NewRef(keys);
    self->read_bytes = (size_t)read_bytes;
    self->small_bytes = (size_t)small_bytes;
    self->out.size = GROWTH * self->read_bytes + MAX_HEAD + KEY_BYTES;
    self->small.size = MOST_READY * self->small_bytes;
    self->in = PyMem_Malloc(self->read_bytes);
    self->out.data = PyMem_Malloc(self->out.size);
    self->small.data = PyMem_Malloc(self->small.size);
    if (self->in && self->out.data && self->small.data)
        return (PyObject *)self;
    Py_DECREF(self);
    return PyErr_NoMemory();
}

static PyMemberDef turn_members[] = {{"full", T_BOOL, offsetof(Turn, full), READONLY, NULL}, {0}};
static PyMethodDef turn_methods[] = {{"take", (PyCFunction)turn_take, METH_NOARGS, NULL}, {0}};
static PyType_Slot turn_slots[] = {
    {Py_tp_new, turn_new}, {Py_tp_dealloc, turn_dealloc}, {Py_tp_members, turn_members}, {Py_tp_methods, turn_methods}, {0}};
PyType_Spec turn_spec = {"wsgateway.native._step.Turn", sizeof(Turn), 0, Py_TPFLAGS_DEFAULT, turn_slots};

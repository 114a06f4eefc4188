/* The module `_step`: its types, and a mask. */
#include "lane.h"
#include <structmember.h>

PyTypeObject *lane_type;

static int layout_parse(Layout *self, PyObject *layout) {
    return PyArg_ParseTuple(layout, "iip", &self->text, &self->binary, &self->masked);
}

static PyObject *lane_equip(Lane *self, PyObject *arguments) {
    PyObject *plan, *source, *target; /* parsed one by one: a named tuple inside another one takes ten times as long */
    if (!PyArg_ParseTuple(arguments, "iiO", &self->fd, &self->to, &plan) ||
        !PyArg_ParseTuple(plan, "bibOOK", &self->walks, &self->extension, &self->checks, &source, &target, &self->limit) ||
        !layout_parse(&self->source, source) || !layout_parse(&self->target, target))
        return NULL;
    self->equipped = 1;
    Py_RETURN_NONE;
}

static PyObject *lane_pass(Lane *self, PyObject *arguments) {
    Py_buffer data;
    PyObject *keys, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "y*O", &data, &keys))
        return NULL;
    size_t have = (size_t)data.len;
    Output out = {NULL, GROWTH * have + MAX_HEAD + KEY_BYTES, 0};
    ptrdiff_t taken = -1;
    if (self->walks) {
        taken = (ptrdiff_t)lane_walk(self, data.buf, have);
        result = Py_BuildValue("ny#", (Py_ssize_t)taken, data.buf, (Py_ssize_t)taken);
    } else if ((out.data = PyMem_Malloc(out.size))) {
        taken = lane_translate(self, data.buf, have, &out, keys);
        result = taken < 0 ? NULL : Py_BuildValue("ny#", (Py_ssize_t)taken, out.data, (Py_ssize_t)out.used);
        PyMem_Free(out.data);
    } else {
        PyErr_NoMemory();
    }
    PyBuffer_Release(&data);
    return result;
}

static PyMemberDef lane_members[] = {{"received", T_LONGLONG, offsetof(Lane, received), 0, NULL},
                                     {"passed", T_ULONGLONG, offsetof(Lane, passed), 0, NULL},
                                     {"left", T_ULONGLONG, offsetof(Lane, left), 0, NULL},
                                     {"read_bytes", T_INT, offsetof(Lane, read_bytes), 0, NULL},
                                     {"open", T_BOOL, offsetof(Lane, open), 0, NULL},
                                     {"equipped", T_BOOL, offsetof(Lane, equipped), READONLY, NULL},
                                     {0}};
static PyMethodDef lane_methods[] = {{"equip", (PyCFunction)lane_equip, METH_VARARGS, NULL},
                                     {"pass_on", (PyCFunction)lane_pass, METH_VARARGS, NULL},
                                     {0}};
static PyType_Slot lane_slots[] = {{Py_tp_members, lane_members}, {Py_tp_methods, lane_methods}, {0}};
static PyType_Spec lane_spec = {"wsgateway.native._step.Lane", sizeof(Lane), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                lane_slots};

static PyObject *apply_mask(PyObject *module, PyObject *arguments) {
    Py_buffer data, key;
    if (!PyArg_ParseTuple(arguments, "y*y*", &data, &key))
        return NULL;
    PyObject *masked = NULL;
    if (key.len != KEY_BYTES)
        PyErr_Format(PyExc_ValueError, "a mask key of %zd bytes, 4 are allowed", key.len);
    else if ((masked = PyBytes_FromStringAndSize(NULL, data.len)))
        mask((uint8_t *)PyBytes_AsString(masked), data.buf, (size_t)data.len, key.buf); /* bound: both have `data.len` */
    PyBuffer_Release(&data);
    PyBuffer_Release(&key);
    return masked;
}

static PyMethodDef functions[] = {{"apply_mask", apply_mask, METH_VARARGS, NULL}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_step", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__step(void) {
    PyObject *module = PyModule_Create(&definition);
    PyObject *turn_type = PyType_FromSpec(&turn_spec);
    lane_type = (PyTypeObject *)PyType_FromSpec(&lane_spec);
    if (module && turn_type && lane_type && !PyModule_AddObjectRef(module, "Turn", turn_type) &&
        !PyModule_AddObjectRef(module, "Lane", (PyObject *)lane_type) &&
        !PyModule_AddIntConstant(module, "INTERFACE", INTERFACE))
        return module;
    Py_XDECREF(module);
    return NULL;
}

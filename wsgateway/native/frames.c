/* Whole messages: found in the bytes of a side, and passed on unchanged or in the frames of the other side.

   This is the usual case of `FrameWalker.feed` (dialects/framing.py) and of `EventTranslator.feed` (relay/translate.py).
   It decides nothing about bytes that are not usual: where it stops, Python goes on. */
#include "lane.h"
#include <string.h>

/* A whole message in the bytes of a side. */
typedef struct {
    int is_text;
    const uint8_t *payload;
    size_t length;
    const uint8_t *key; /* the mask of the payload; NULL: none */
    size_t size;        /* of its frame */
} Message;

void mask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[KEY_BYTES]) {
    uint64_t word, eight;
    size_t at = 0;
    memcpy(&eight, key, KEY_BYTES);
    memcpy((uint8_t *)&eight + KEY_BYTES, key, KEY_BYTES);
    for (; size - at >= sizeof word; at += sizeof word) { /* bound: at <= size */
        memcpy(&word, from + at, sizeof word);
        word ^= eight;
        memcpy(to + at, &word, sizeof word);
    }
    for (; at < size; at++)
        to[at] = from[at] ^ key[at % KEY_BYTES];
}

/* Reads the head of a frame that is a whole message, within the limit. Returns its size; 0 if it is not whole, or not
   such a frame: `FrameReader.head` says what is wrong then. */
static size_t read_head(const Lane *lane, const uint8_t *data, size_t have, uint64_t *length) {
    const Layout *source = &lane->source;
    size_t size = 2;
    if (have < size)
        return 0;
    int first = data[0] & ~lane->extension;
    if ((first != source->text && first != source->binary) || data[1] >> 7 != source->masked)
        return 0;
    uint64_t count = data[1] & 0x7f;
    if (count > 125) {
        size_t bytes = count == 126 ? 2 : 8;
        uint64_t shortest = count == 126 ? 126 : 65536;
        size += bytes;
        if (have < size) /* bound: the length is read below */
            return 0;
        count = 0;
        for (size_t at = 2; at < size; at++)
            count = count << 8 | data[at];
        if (count < shortest) /* some drafts allow it, but it is not usual */
            return 0;
    }
    if (count > lane->limit) /* so no sum below can exceed 64 bits: the limit is less than 2^63 */
        return 0;
    size += source->masked ? KEY_BYTES : 0;
    *length = count;
    return have < size ? 0 : size;
}

size_t lane_walk(Lane *lane, const uint8_t *data, size_t have) {
    size_t at = 0;
    if (lane->left > have) {
        lane->left -= have;
        return have;
    }
    if (lane->left) {
        at = (size_t)lane->left; /* bound: at most `have` */
        lane->left = 0;
        lane->passed++;
    }
    while (at < have) {
        uint64_t length;
        size_t size = read_head(lane, data + at, have - at, &length);
        if (!size)
            break;
        at += size; /* bound: `read_head` has seen so many bytes */
        if (length > have - at) {
            lane->left = length - (have - at);
            return have;
        }
        at += (size_t)length;
        lane->passed++;
    }
    return at;
}

/* Finds a whole message at the beginning of the bytes. Returns whether there is one. */
static int find_message(const Lane *lane, const uint8_t *data, size_t have, Message *message) {
    if (lane->source.text) {
        uint64_t length;
        size_t head = read_head(lane, data, have, &length);
        if (!head || length > have - head) /* bound: the payload is here */
            return 0;
        message->is_text = (data[0] & ~lane->extension) == lane->source.text;
        message->payload = data + head;
        message->length = (size_t)length;
        message->key = lane->source.masked ? data + head - KEY_BYTES : NULL;
        message->size = head + message->length;
        return 1;
    }
    const uint8_t *end = have && !data[0] ? memchr(data, 0xff, have) : NULL;
    if (!end || (uint64_t)(end - data - 1) > lane->limit) /* bound: data[0] is 0, so `end` is behind it */
        return 0;
    message->is_text = 1;
    message->payload = data + 1;
    message->length = (size_t)(end - data - 1);
    message->key = NULL;
    message->size = message->length + 2;
    return 1;
}

/* Returns whether text is UTF-8, by Python's own decoder. */
static int is_utf8(const uint8_t *text, size_t size) {
    uint64_t word, all = 0;
    size_t at = 0;
    for (; size - at >= sizeof word; at += sizeof word) { /* bound: at <= size */
        memcpy(&word, text + at, sizeof word);
        all |= word;
    }
    for (; at < size; at++)
        all |= (uint64_t)(text[at] & 0x80);
    if (!(all & 0x8080808080808080u))
        return 1;
    PyObject *decoded = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)size, "strict");
    if (!decoded)
        PyErr_Clear();
    Py_XDECREF(decoded);
    return decoded != NULL;
}

/* Writes the head of a frame, without a key. Returns its size, at most MAX_HEAD. */
static size_t write_head(uint8_t *to, int first, size_t length, int masked) {
    size_t bytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
    to[0] = (uint8_t)first;
    to[1] = (uint8_t)((masked ? 0x80 : 0) | (bytes == 0 ? length : bytes == 2 ? 126 : 127));
    for (size_t at = 0; at < bytes; at++)
        to[2 + at] = (uint8_t)((uint64_t)length >> 8 * (bytes - 1 - at));
    return 2 + bytes;
}

/* Copies the next mask key. Returns whether there was one; otherwise an exception is set. */
static int next_key(PyObject *keys, uint8_t key[KEY_BYTES]) {
    PyObject *next = PyIter_Next(keys);
    char *data;
    Py_ssize_t size;
    if (!next) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "there are no more mask keys");
        return 0;
    }
    int got = !PyBytes_AsStringAndSize(next, &data, &size);
    if (got && size != KEY_BYTES) {
        PyErr_Format(PyExc_ValueError, "a mask key of %zd bytes, they have 4", size);
        got = 0;
    }
    if (got)
        memcpy(key, data, KEY_BYTES);
    Py_DECREF(next);
    return got;
}

/* Writes a message in the frames of the other side. Returns 1; 0 if that needs Python, and -1 with an exception. */
static int write_message(const Lane *lane, const Message *message, Output *out, PyObject *keys) {
    const Layout *target = &lane->target;
    size_t length = message->length;
    int first = message->is_text ? target->text : target->binary;
    /* bound: head, key and payload, or 00 and FF and payload, fit into what is free; this cannot overflow, since the
       payload lies in memory */
    if (first < 0 || out->size - out->used < MAX_HEAD + KEY_BYTES || out->size - out->used - MAX_HEAD - KEY_BYTES < length)
        return 0;
    uint8_t *frame = out->data + out->used;
    size_t head = target->text ? write_head(frame, first, length, target->masked) : 1;
    uint8_t *payload = frame + head + (target->masked ? KEY_BYTES : 0);
    if (message->key)
        mask(payload, message->payload, length, message->key);
    else
        memcpy(payload, message->payload, length);
    if (lane->checks && message->is_text && !is_utf8(payload, length))
        return 0;
    if (target->masked) {
        if (!next_key(keys, frame + head))
            return -1;
        mask(payload, payload, length, frame + head);
    }
    if (!target->text) {
        frame[0] = 0;
        payload[length++] = 0xff;
    }
    out->used = (size_t)(payload - out->data) + length;
    return 1;
}

ptrdiff_t lane_translate(Lane *lane, const uint8_t *data, size_t have, Output *out, PyObject *keys) {
    size_t at = 0;
    Message message;
    while (at < have && find_message(lane, data + at, have - at, &message)) {
        int written = write_message(lane, &message, out, keys);
        if (written < 0)
            return -1;
        if (!written)
            break;
        at += message.size; /* bound: `find_message` has seen so many bytes */
        lane->passed++;
    }
    return (ptrdiff_t)at;
}

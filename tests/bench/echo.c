// An upstream that is faster than any gateway: it sends every frame of RFC 6455 back, without its mask.
//
// It prints its port, and runs until it is ended. A frame is sent back when it is whole. What cannot be sent waits, and
// meanwhile nothing more is read.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, READ_BYTES = 256 * 1024, MOST_EVENTS = 512, BACKLOG = 4096 };

typedef struct {
    int fd, open;
    uint8_t *in, *out;                   // what is no whole frame yet, and what could not be sent yet
    size_t in_size, in_room, out_size, out_sent;
} Peer;

static int poll_fd;
static uint8_t received[READ_BYTES];

// -- the handshake ---------------------------------------------------------------------------------------------------

static uint32_t rotated(uint32_t word, int bits) {
    return word << bits | word >> (32 - bits);
}

// FIPS 180-4, 6.1; the text has 60 bytes: a key and the GUID of RFC 6455.
static void sha1_of_60(const char *text, uint8_t digest[20]) {
    uint8_t padded[128] = {0};
    uint32_t hash[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    memcpy(padded, text, 60);
    padded[60] = 0x80;
    padded[126] = 60 * 8 >> 8;
    padded[127] = 60 * 8 & 0xFF;
    for (int block = 0; block < 128; block += 64) {
        uint32_t words[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
        for (int at = 0; at < 16; at++) {
            const uint8_t *from = padded + block + 4 * at;
            words[at] = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
        }
        for (int at = 16; at < 80; at++)
            words[at] = rotated(words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16], 1);
        for (int at = 0; at < 80; at++) {
            uint32_t mixed = at < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                             : at < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                             : at < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                       : (b ^ c ^ d) + 0xCA62C1D6;
            uint32_t next = rotated(a, 5) + mixed + e + words[at];
            e = d, d = c, c = rotated(b, 30), b = a, a = next;
        }
        hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
    }
    for (int at = 0; at < 20; at++)
        digest[at] = (uint8_t)(hash[at / 4] >> (24 - 8 * (at % 4)));
}

static void base64_of_20(const uint8_t *bytes, char text[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t padded[21] = {0};
    memcpy(padded, bytes, 20);
    for (int at = 0; at < 7; at++) {
        uint32_t three = (uint32_t)padded[3 * at] << 16 | (uint32_t)padded[3 * at + 1] << 8 | padded[3 * at + 2];
        for (int letter = 0; letter < 4; letter++)
            text[4 * at + letter] = letters[three >> (18 - 6 * letter) & 63];
    }
    text[27] = '=';
    text[28] = 0;
}

// Answer a request whose head is whole. Return its size; 0: it is not whole, or has no key.
static size_t shake_hands(Peer *peer) {
    static const char name[] = "\r\nsec-websocket-key:", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char *end = memmem(peer->in, peer->in_size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    char *key = (char *)peer->in;
    while (key < end && strncasecmp(key, name, sizeof name - 1) != 0)
        key++;
    if (key == end)
        return 0;
    key += sizeof name - 1;
    while (*key == ' ')
        key++;
    char text[61], accept[29], head[256];
    uint8_t digest[20];
    memcpy(text, key, 24);
    memcpy(text + 24, guid, sizeof guid);
    sha1_of_60(text, digest);
    base64_of_20(digest, accept);
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
    peer->open = send(peer->fd, head, (size_t)size, MSG_NOSIGNAL) == size;
    return peer->open ? (size_t)(end + 4 - (char *)peer->in) : 0;
}

// -- frames ----------------------------------------------------------------------------------------------------------

static void unmask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t key[4]) {
    uint64_t word, wide;
    memcpy(&wide, (uint8_t[8]){key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]}, 8);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        memcpy(&word, from + at, 8);
        word ^= wide;
        memcpy(to + at, &word, 8);
    }
    for (; at < size; at++)
        to[at] = from[at] ^ key[at % 4];
}

// Write the answer to the frame at the beginning of some bytes. Return the size of the frame; 0: it is not whole.
static size_t answer_frame(const uint8_t *in, size_t size, uint8_t *out, size_t *out_size) {
    if (size < 2)
        return 0;
    size_t head = (in[1] & 127) == 126 ? 4 : (in[1] & 127) == 127 ? 10 : 2;
    if (size < head + 4)
        return 0;
    uint64_t length = in[1] & 127;
    if (head > 2) {
        length = 0;
        for (size_t at = 2; at < head; at++)
            length = length << 8 | in[at];
    }
    if (size < head + 4 + length)
        return 0;
    memcpy(out, in, head);
    out[1] &= 127;
    if ((in[0] & 15) == 9) // a ping
        out[0] = (uint8_t)((in[0] & 0xF0) | 10);
    unmask(out + head, in + head + 4, length, in + head);
    *out_size += head + length;
    return head + 4 + length;
}

static void watch(Peer *peer, uint32_t events) {
    struct epoll_event wanted = {.events = events, .data.ptr = peer};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, peer->fd, &wanted);
}

// Send what is in `out`. Return 0 if the peer is gone.
static int flush(Peer *peer) {
    ssize_t sent = send(peer->fd, peer->out + peer->out_sent, peer->out_size - peer->out_sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return 0;
    peer->out_sent += sent < 0 ? 0 : (size_t)sent;
    if (peer->out_sent < peer->out_size) {
        watch(peer, EPOLLOUT);
        return 1;
    }
    free(peer->out);
    peer->out = NULL;
    return 1;
}

static int answer_frames(Peer *peer, size_t from) {
    size_t at = from, size, out_size = 0;
    peer->out = malloc(peer->in_size + 1);
    while ((size = answer_frame(peer->in + at, peer->in_size - at, peer->out + out_size, &out_size)) > 0)
        at += size;
    peer->in_size -= at;
    memmove(peer->in, peer->in + at, peer->in_size);
    peer->out_size = out_size;
    peer->out_sent = 0;
    return flush(peer);
}

// Take bytes of a peer. Return 0 if its connection is over.
static int take(Peer *peer, const uint8_t *bytes, size_t size) {
    if (peer->in_size + size > peer->in_room) {
        peer->in_room = peer->in_size + size;
        peer->in = realloc(peer->in, peer->in_room);
    }
    memcpy(peer->in + peer->in_size, bytes, size);
    peer->in_size += size;
    size_t head = 0;
    if (!peer->open) {
        head = shake_hands(peer);
        if (!peer->open)
            return peer->in_size < HEAD_BYTES;
    }
    int stays = answer_frames(peer, head);
    if (peer->in_size == 0) { // thousands of idle peers hold nothing
        free(peer->in);
        peer->in = NULL;
        peer->in_room = 0;
    }
    return stays;
}

static int serve(Peer *peer, uint32_t events) {
    if (peer->out != NULL) {
        if (!flush(peer))
            return 0;
        if (peer->out == NULL)
            watch(peer, EPOLLIN);
        return 1;
    }
    ssize_t size = recv(peer->fd, received, sizeof received, 0);
    if (size < 0)
        return errno == EAGAIN;
    return size > 0 && take(peer, received, (size_t)size) && (events & EPOLLERR) == 0;
}

static void accept_peers(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Peer *peer = calloc(1, sizeof *peer);
        peer->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = peer};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &wanted);
    }
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, BACKLOG) != 0) {
        perror("listen");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &size);
    poll_fd = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &wanted);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event events[MOST_EVENTS];
        int count = epoll_wait(poll_fd, events, MOST_EVENTS, -1);
        for (int at = 0; at < count; at++) {
            Peer *peer = events[at].data.ptr;
            if (peer == NULL)
                accept_peers(listener);
            else if (!serve(peer, events[at].events)) {
                close(peer->fd);
                free(peer->in);
                free(peer->out);
                free(peer);
            }
        }
    }
}

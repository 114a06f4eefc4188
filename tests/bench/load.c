// Clients of a gateway under load: they open sessions, send one message again and again, and compare what comes back.
//
//     load PORT SESSIONS AT_ONCE AHEAD PAUSE_MS FOLDER
//
// They know no dialect. The folder has the bytes: `request`, what the head of the reply must contain (`in_head`) and what
// must come behind it (`behind_head`), a `message`, and its `answer`. AT_ONCE connections open at the same time, and AHEAD
// messages of each session are on their way at the same time. After an answer a session waits PAUSE_MS.
//
// Each line of the standard input is a command, and has one line for an answer:
//
//     open               open SESSIONS FAILED      all sessions
//     echo SECONDS       echo MESSAGES WRONG P50_US P99_US MOST_US
//     cut                cut SESSIONS              close all sessions with a reset
//     connect SESSIONS   connect SESSIONS FAILED   open and close so many sessions, AT_ONCE at the same time

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 2048, READ_BYTES = 256 * 1024, MOST_EVENTS = 512, SOURCES = 16 };
// Times are counted in steps of so many microseconds, up to a minute.
enum { STEP_US = 10, STEPS = 60 * 1000 * 1000 / STEP_US };
enum { OPEN_SECONDS = 300 };

typedef struct {
    uint8_t *bytes;
    size_t size;
} Bytes;

typedef enum { CLOSED, CONNECTING, WAITING, OPEN } State;

typedef struct {
    int fd;
    State state;
    size_t head_size;      // of the reply so far
    char *head;            // only while it opens
    unsigned due;          // messages to send now
    size_t sent;           // bytes of the message that is being sent
    size_t compared;       // bytes of the answer that is coming
    uint64_t *begun;       // when the messages on their way were sent, a ring
    unsigned first, after; // its first member, and the place behind its last
    uint64_t ready;        // with a pause: when the next message is due; 0: none is
} Session;

static struct sockaddr_in gateway;
static unsigned sessions_wanted, at_once, ahead, next_session, opening, is_open, failed, wrong;
static uint64_t pause_ns, messages, taken[STEPS + 1];
static Bytes request, in_head, behind_head, message, answer;
static Session *sessions;
static int poll_fd, connects_only, sends;
static uint8_t received[READ_BYTES];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static Bytes read_file(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    Bytes found = {.size = (size_t)ftell(file)};
    rewind(file);
    found.bytes = malloc(found.size + 1);
    if (fread(found.bytes, 1, found.size, file) != found.size)
        exit(2);
    fclose(file);
    return found;
}

// -- opening ---------------------------------------------------------------------------------------------------------

static void close_session(Session *session) {
    if (session->state == CLOSED)
        return;
    if (session->state == OPEN)
        is_open--;
    else
        opening--;
    session->state = CLOSED;
    free(session->head);
    session->head = NULL;
    close(session->fd);
}

static void fail(Session *session) {
    failed++;
    close_session(session);
}

// Closed connections keep their port for a minute: with several source addresses there are enough.
static void bind_source(int fd) {
    static unsigned turn;
    int one = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % SOURCES);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(fd, (struct sockaddr *)&source, sizeof source);
}

static void open_session(Session *session) {
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        perror("socket");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bind_source(fd);
    *session = (Session){.fd = fd, .state = CONNECTING, .head = malloc(HEAD_BYTES), .begun = session->begun};
    opening++;
    if (connect(fd, (struct sockaddr *)&gateway, sizeof gateway) != 0 && errno != EINPROGRESS) {
        fail(session);
        return;
    }
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = session};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &wanted);
}

static void open_more(void) {
    while (opening < at_once && next_session < sessions_wanted)
        open_session(&sessions[next_session++]);
}

static void send_request(Session *session) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    session->state = WAITING;
    if (error != 0 || send(session->fd, request.bytes, request.size, MSG_NOSIGNAL) != (ssize_t)request.size)
        fail(session);
}

// Take bytes of the reply; return how many of them belong to it.
static size_t take_reply(Session *session, const uint8_t *bytes, size_t size) {
    size_t before = session->head_size, room = HEAD_BYTES - before;
    size_t taken = size < room ? size : room;
    memcpy(session->head + before, bytes, taken);
    session->head_size += taken;
    char *end = memmem(session->head, session->head_size, "\r\n\r\n", 4);
    if (end == NULL && session->head_size < HEAD_BYTES)
        return taken;
    size_t head = end == NULL ? 0 : (size_t)(end - session->head) + 4, whole = head + behind_head.size;
    if (end != NULL && session->head_size < whole)
        return taken;
    if (end == NULL || memcmp(session->head, "HTTP/1.1 101", 12) != 0 ||
        memmem(session->head, head, in_head.bytes, in_head.size) == NULL ||
        memcmp(session->head + head, behind_head.bytes, behind_head.size) != 0) {
        if (failed == 0)
            fprintf(stderr, "refused: %.*s\n", (int)session->head_size, session->head);
        fail(session);
        return size;
    }
    free(session->head);
    session->head = NULL;
    session->state = OPEN;
    opening--;
    is_open++;
    return whole - before;
}

// -- messages --------------------------------------------------------------------------------------------------------

static void send_due(Session *session) {
    while (session->due > 0) {
        if (session->sent == 0)
            session->begun[session->after++ % ahead] = now();
        ssize_t sent = send(session->fd, message.bytes + session->sent, message.size - session->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (session->sent == 0)
                session->after--;
            return;
        }
        if (sent < 0) {
            wrong++;
            close_session(session);
            return;
        }
        session->sent += (size_t)sent;
        if (session->sent < message.size)
            return;
        session->sent = 0;
        session->due--;
    }
}

static void take_answers(Session *session, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        size_t left = answer.size - session->compared, part = size < left ? size : left;
        if (session->first == session->after || memcmp(bytes, answer.bytes + session->compared, part) != 0) {
            wrong++;
            close_session(session);
            return;
        }
        bytes += part;
        size -= part;
        session->compared += part;
        if (session->compared < answer.size)
            return;
        session->compared = 0;
        uint64_t time = now(), us = (time - session->begun[session->first++ % ahead]) / 1000;
        taken[us / STEP_US < STEPS ? us / STEP_US : STEPS]++;
        messages++;
        if (pause_ns > 0)
            session->ready = time + pause_ns;
        else
            session->due++;
    }
}

static void read_session(Session *session) {
    while (session->state != CLOSED) {
        ssize_t size = recv(session->fd, received, sizeof received, 0);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            if (session->state == OPEN) {
                wrong++;
                close_session(session);
            } else
                fail(session);
            return;
        }
        size_t used = session->state == OPEN ? 0 : take_reply(session, received, (size_t)size);
        if (session->state == OPEN && used < (size_t)size)
            take_answers(session, received + used, (size_t)size - used);
        if ((size_t)size < sizeof received)
            return;
    }
}

// -- the loop --------------------------------------------------------------------------------------------------------

static void handle(Session *session, uint32_t events) {
    if (session->state == CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        send_request(session);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_session(session);
    if (session->state == OPEN && sends)
        send_due(session);
    if (session->state == OPEN && connects_only) {
        messages++;
        close_session(session);
    }
    if (session->state == CLOSED && connects_only)
        open_session(session);
}

static void send_after_pauses(void) {
    uint64_t time = now();
    for (unsigned at = 0; at < sessions_wanted; at++) {
        Session *session = &sessions[at];
        if (session->state == OPEN && session->ready != 0 && session->ready <= time) {
            session->ready = 0;
            session->due++;
            send_due(session);
        }
    }
}

static void turn(void) {
    struct epoll_event events[MOST_EVENTS];
    int count = epoll_wait(poll_fd, events, MOST_EVENTS, pause_ns > 0 ? 1 : 10);
    for (int at = 0; at < count; at++) {
        Session *session = events[at].data.ptr;
        if (session->state != CLOSED)
            handle(session, events[at].events);
    }
    if (pause_ns > 0 && sends)
        send_after_pauses();
}

// -- the commands ----------------------------------------------------------------------------------------------------

static void command_open(void) {
    uint64_t until = now() + (uint64_t)OPEN_SECONDS * 1000000000u;
    next_session = failed = 0;
    do {
        open_more();
        turn();
    } while ((opening > 0 || next_session < sessions_wanted) && now() < until);
    printf("open %u %u\n", is_open, failed + opening);
}

static unsigned us_below(uint64_t count) {
    uint64_t seen = 0;
    for (unsigned step = 0; step <= STEPS; step++) {
        seen += taken[step];
        if (seen >= count && seen > 0)
            return step * STEP_US;
    }
    return 0;
}

static void command_echo(double seconds) {
    for (unsigned at = 0; !sends && at < sessions_wanted; at++)
        if (sessions[at].state == OPEN && pause_ns > 0) {
            sessions[at].ready = now() + pause_ns * at / sessions_wanted; // spread over the pause
        } else if (sessions[at].state == OPEN) {
            sessions[at].due = ahead;
            send_due(&sessions[at]);
        }
    sends = 1;
    messages = wrong = 0;
    memset(taken, 0, sizeof taken);
    uint64_t until = now() + (uint64_t)(seconds * 1e9);
    while (now() < until)
        turn();
    printf("echo %llu %u %u %u %u\n", (unsigned long long)messages, wrong, us_below((messages + 1) / 2),
           us_below(messages - messages / 100), us_below(messages));
}

static void command_cut(void) {
    unsigned count = is_open;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    for (unsigned at = 0; at < sessions_wanted; at++)
        if (sessions[at].state == OPEN) {
            setsockopt(sessions[at].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close_session(&sessions[at]);
        }
    printf("cut %u\n", count);
}

static void command_connect(unsigned count) {
    uint64_t until = now() + (uint64_t)OPEN_SECONDS * 1000000000u;
    if (!connects_only) {
        connects_only = 1;
        for (unsigned at = 0; at < at_once; at++)
            open_session(&sessions[at]);
    }
    messages = failed = 0;
    while (messages + failed < count && now() < until)
        turn();
    printf("connect %llu %u\n", (unsigned long long)messages, failed);
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: load PORT SESSIONS AT_ONCE AHEAD PAUSE_MS FOLDER\n");
        return 2;
    }
    gateway = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    gateway.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sessions_wanted = (unsigned)atoi(words[2]);
    at_once = (unsigned)atoi(words[3]);
    ahead = (unsigned)atoi(words[4]);
    pause_ns = (uint64_t)atoi(words[5]) * 1000000u;
    request = read_file(words[6], "request");
    in_head = read_file(words[6], "in_head");
    behind_head = read_file(words[6], "behind_head");
    message = read_file(words[6], "message");
    answer = read_file(words[6], "answer");
    poll_fd = epoll_create1(0);
    unsigned room = sessions_wanted > at_once ? sessions_wanted : at_once;
    sessions = calloc(room, sizeof *sessions);
    for (unsigned at = 0; at < room; at++)
        sessions[at].begun = calloc(ahead, sizeof *sessions[at].begun);
    char line[64];
    double seconds;
    unsigned count_wanted;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strcmp(line, "open\n") == 0)
            command_open();
        else if (sscanf(line, "echo %lf", &seconds) == 1)
            command_echo(seconds);
        else if (strcmp(line, "cut\n") == 0)
            command_cut();
        else if (sscanf(line, "connect %u", &count_wanted) == 1)
            command_connect(count_wanted);
        else
            return 2;
        fflush(stdout);
    }
    return 0;
}

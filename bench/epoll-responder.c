// The yardstick for the kernel's own cost: the least a single-threaded C program must do to answer
// GET requests through epoll, with a response of the same fields and size as Millrace's. It is no
// server: it does not route, keeps nothing between two receives and closes on anything it does not
// understand, a request split over two receives included. So it is a bound to measure against, and
// the work a real server adds is the difference.
//
//     ./epoll-responder PORT          0 takes a free port; the ready line names it
//
// Level-triggered: measured against EPOLLET it was as fast or faster under all three loads, and it
// needs no second receive to find a socket empty.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, RECV_BYTES = 65536, HEAD_BYTES_MIN = 18, RESPONSE_BYTES_MAX = 128 };

static char received[RECV_BYTES];
// No head is shorter than "GET / HTTP/1.1" and a blank line, which bounds the responses of a batch.
static char batch[RECV_BYTES / HEAD_BYTES_MIN * RESPONSE_BYTES_MAX];
static char keep[RESPONSE_BYTES_MAX], last[RESPONSE_BYTES_MAX];
static int keep_size, last_size;

// Renders both responses when the second has changed. time() takes no system call.
static void render(void) {
  static time_t rendered = -1;
  time_t now = time(NULL);
  if (now == rendered) return;
  rendered = now;
  struct tm utc;
  char date[40];
  gmtime_r(&now, &utc);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  const char *head = "HTTP/1.1 200 OK\r\nDate: %s\r\n%sContent-Length: 0\r\n\r\n";
  keep_size = snprintf(keep, sizeof keep, head, date, "");
  last_size = snprintf(last, sizeof last, head, date, "Connection: close\r\n");
}

// Answers every head in received[0..size), with one send. False when the connection must be closed.
static int answer(int fd, size_t size) {
  static const char close_field[] = "\r\nConnection: close\r\n";
  char *head = received, *end = received + size, *out = batch;
  int open = 1;
  while (open && head < end) {
    char *blank = memmem(head, end - head, "\r\n\r\n", 4);
    if (!blank || blank + 4 - head < HEAD_BYTES_MIN || memcmp(head, "GET ", 4)) {
      open = 0;
      break;
    }
    open = !memmem(head, blank + 2 - head, close_field, sizeof close_field - 1);
    int response_size = open ? keep_size : last_size;
    memcpy(out, open ? keep : last, response_size);
    out += response_size;
    head = blank + 4;
  }
  ssize_t batch_size = out - batch;
  if (batch_size && send(fd, batch, batch_size, MSG_NOSIGNAL) != batch_size) return 0;
  return open;
}

static void serve(int fd) {
  ssize_t size = recv(fd, received, sizeof received, 0);
  if (size <= 0 || !answer(fd, size)) close(fd);
}

static void accept_all(int listener, int epoll) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) close(fd);
  }
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  // Accepted sockets inherit it: no call per connection.
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
      getsockname(listener, (struct sockaddr *)&address, &size)) {
    perror("epoll-responder: cannot listen");
    exit(1);
  }
  printf("epoll-responder listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

int main(int count, char **arguments) {
  int listener = listen_on(count > 1 ? atoi(arguments[1]) : 0);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    render();
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == listener) accept_all(listener, epoll);
      else serve(events[i].data.fd);
    }
  }
}

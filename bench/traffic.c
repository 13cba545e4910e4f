/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load generator of `make bench`, in C since Python cannot see nanoseconds. Both ends run on one CPU: what a packet
 * costs is then what the wall clock shows, without the ping-pong between CPUs that varies by a factor of two.
 *
 *   traffic serve CPU ADDRESS                      the other end; says "ready"
 *   traffic load CPU ADDRESS SLICES WORKLOAD...    a line for each: its name and nanoseconds per operation, by slice
 *   traffic probe CPU ADDRESS...                   a datagram to each in turn until standard input ends; a line for
 *                                                  each: sent, refused, and how often that changed
 *
 * Whatever fails that should not ends the program with status 1: the cost of a refusal is not what is measured.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ECHO = 7000, SINK = 7001, UDP_SINK = 7002 };

#define MESSAGE  64          /* bytes of a datagram, a request, and an answer */
#define BULK     (128 << 10) /* bytes of a write of the bulk transfer */
#define QUEUE    (64 << 10)  /* bytes of a connection's buffers: what is under way stays in the cache */
#define SLICE_NS 1000000ULL  /* long against a look at the clock, short against the turns of other processes */
#define PAUSE_NS 20000       /* between two rounds of the probe */
#define WARM_UP  10          /* slices that fill caches, the socket's window and its verdict */
#define BURST    16          /* operations between two looks at the clock */

static char buffer[BULK];

static void check(int failed, const char *what)
{
	if (failed) {
		fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void pin(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(cpu), &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

/* Before the neighbours: what they do on this CPU would be measured as ours. */
static void hurry(void)
{
	check(setpriority(PRIO_PROCESS, 0, -20), "setpriority");
}

static struct sockaddr_in name(const char *address, int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};

	check(inet_pton(AF_INET, address, &sin.sin_addr) != 1, address);
	return sin;
}

static int make(int type)
{
	int one = 1, queue = QUEUE, fd = socket(AF_INET, type, 0);

	check(fd < 0, "socket");
	if (type == SOCK_STREAM) {
		check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "TCP_NODELAY");
		check(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue)), "SO_SNDBUF");
		check(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue)), "SO_RCVBUF");
	}
	return fd;
}

static int connected(int type, struct sockaddr_in *to)
{
	int fd = make(type);

	check(connect(fd, (struct sockaddr *)to, sizeof(*to)), "connect");
	return fd;
}

static int bound(int type, const char *address, int port)
{
	struct sockaddr_in at = name(address, port);
	int one = 1, fd = make(type);

	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "SO_REUSEADDR");
	check(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	return fd;
}

/* serve */

static void echo(int fd)
{
	ssize_t size;

	while ((size = recv(fd, buffer, MESSAGE, 0)) > 0)
		check(send(fd, buffer, size, 0) != size, "echo");
}

static void sink(int fd)
{
	while (recv(fd, NULL, BULK, MSG_TRUNC) > 0) /* discarded in the kernel, nothing is copied */
		;
}

/* One connection after the other, in a child that ends with its parent. */
static void serve_tcp(const char *address, int port, void (*talk)(int))
{
	int listener = bound(SOCK_STREAM, address, port), fd;

	check(listen(listener, 64), "listen");
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		check(fd < 0, "accept");
		talk(fd);
		close(fd);
	}
}

/* Datagrams fill the queue of a socket that nobody reads, and are then dropped: the same path for each of them. */
static void serve_udp(const char *address, int port)
{
	int size = 4096, fd = bound(SOCK_DGRAM, address, port);

	check(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), "SO_RCVBUF");
}

static _Noreturn void serve(char **argv)
{
	pin(argv[0]);
	hurry();
	serve_tcp(argv[1], ECHO, echo);
	serve_tcp(argv[1], SINK, sink);
	serve_udp(argv[1], UDP_SINK);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

/* load */

/* `operate` is called with a socket that is open all the time; those that are about opening sockets let it be. */
struct workload {
	const char *name;
	int type, port, is_connected;
	void (*operate)(int fd, struct sockaddr_in *to);
};

static void send_udp(int fd, struct sockaddr_in *to)
{
	(void)to;
	check(send(fd, buffer, MESSAGE, 0) != MESSAGE, "send");
}

static void send_udp_to(int fd, struct sockaddr_in *to)
{
	check(sendto(fd, buffer, MESSAGE, 0, (struct sockaddr *)to, sizeof(*to)) != MESSAGE, "sendto");
}

/* A datagram socket: connect() and nothing else, no packet. */
static void connect_udp(int fd, struct sockaddr_in *to)
{
	(void)fd;
	close(connected(SOCK_DGRAM, to));
}

static void exchange(int fd, struct sockaddr_in *to)
{
	(void)to;
	check(send(fd, buffer, MESSAGE, 0) != MESSAGE, "send");
	check(recv(fd, buffer, MESSAGE, MSG_WAITALL) != MESSAGE, "recv");
}

/* Connect, ask, be answered, and an orderly end in both directions. */
static void visit(int fd, struct sockaddr_in *to)
{
	fd = connected(SOCK_STREAM, to);
	exchange(fd, to);
	check(shutdown(fd, SHUT_WR), "shutdown");
	check(recv(fd, buffer, MESSAGE, 0) != 0, "end of the answer");
	close(fd);
}

static void send_bulk(int fd, struct sockaddr_in *to)
{
	(void)to;
	check(send(fd, buffer, BULK, 0) != BULK, "send");
}

static const struct workload workloads[] = {
	{"udp-send", SOCK_DGRAM, UDP_SINK, 1, send_udp},          {"udp-sendto", SOCK_DGRAM, UDP_SINK, 0, send_udp_to},
	{"udp-connect", SOCK_DGRAM, UDP_SINK, 0, connect_udp},    {"tcp-connect-close", SOCK_STREAM, ECHO, 0, visit},
	{"tcp-request-response", SOCK_STREAM, ECHO, 1, exchange}, {"tcp-bulk", SOCK_STREAM, SINK, 1, send_bulk},
};

static const struct workload *find(const char *wanted)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, wanted))
			return &workloads[i];
	errno = EINVAL;
	check(1, wanted);
	return NULL;
}

static double slice(const struct workload *load, int fd, struct sockaddr_in *to)
{
	unsigned long long count = 0, begin = now_ns(), end;

	do {
		for (int i = 0; i < BURST; i++)
			load->operate(fd, to);
		count += BURST;
		end = now_ns();
	} while (end - begin < SLICE_NS);
	return (double)(end - begin) / count;
}

static void run(const struct workload *load, const char *address, int slices)
{
	struct sockaddr_in to = name(address, load->port);
	int fd = load->is_connected ? connected(load->type, &to) : make(load->type);

	for (int i = 0; i < WARM_UP; i++)
		slice(load, fd, &to);
	fputs(load->name, stdout);
	for (int i = 0; i < slices; i++)
		printf(" %.1f", slice(load, fd, &to));
	puts("");
	close(fd);
}

static int load(char **argv)
{
	pin(argv[0]);
	hurry();
	for (char **each = argv + 3; *each; each++)
		run(find(*each), argv[1], atoi(argv[2]));
	return 0;
}

/* probe */

struct target {
	struct sockaddr_in to;
	int fd, refused;
	unsigned long long sent, denied, changes;
};

static void try_target(struct target *target)
{
	ssize_t size = sendto(target->fd, buffer, MESSAGE, 0, (struct sockaddr *)&target->to, sizeof(target->to));

	check(size < 0 && errno != EPERM, "sendto");
	target->changes += target->refused != (size < 0) && target->sent + target->denied;
	target->refused = size < 0;
	target->sent += size >= 0;
	target->denied += size < 0;
}

static int probe(char **argv)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct target targets[8] = {};
	int count = 0;

	pin(argv[0]);
	for (char **each = argv + 1; *each && count < 8; each++, count++)
		targets[count] = (struct target){.to = name(*each, UDP_SINK), .fd = make(SOCK_DGRAM)};
	while (!poll(&input, 1, 0)) {
		for (int i = 0; i < count; i++)
			try_target(&targets[i]);
		nanosleep(&pause, NULL); /* what is measured meanwhile needs a CPU too */
	}
	for (int i = 0; i < count; i++)
		printf("%llu %llu %llu\n", targets[i].sent, targets[i].denied, targets[i].changes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "serve"))
		serve(argv + 2);
	if (argc >= 6 && !strcmp(argv[1], "load"))
		return load(argv + 2);
	if (argc >= 4 && !strcmp(argv[1], "probe"))
		return probe(argv + 2);
	fputs("usage: traffic serve|load|probe CPU ADDRESS ...\n", stderr);
	return 2;
}

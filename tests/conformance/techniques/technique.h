/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What techniques in C share: the environment that the suite gives them, and how they end.
 *
 * A technique ends with 0 when it thinks that its bytes went out, with 1 when it was refused, and with 77 when the
 * kernel cannot do what it tries. Whether something went out is not for it to say: a sniffer judges.
 */
#ifndef TECHNIQUE_H
#define TECHNIQUE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WENT_OUT = 0, REFUSED = 1, CANNOT = 77 };

#define SHARED static inline __attribute__((unused))

_Noreturn SHARED void cannot(const char *why)
{
	printf("cannot: %s\n", why);
	fflush(stdout);
	_exit(CANNOT);
}

/* The result of a call that must succeed. A refusal ends the program, with CANNOT when the kernel has no such thing. */
SHARED long must(long result, const char *what)
{
	if (result >= 0)
		return result;
	int missing = errno == ENOSYS || errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ||
	              errno == ESOCKTNOSUPPORT || errno == ENODEV;
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(missing ? CANNOT : REFUSED);
}

SHARED void *must_map(void *mapping, const char *what)
{
	must(mapping == MAP_FAILED ? -1 : 0, what);
	return mapping;
}

SHARED const char *env(const char *name)
{
	const char *value = getenv(name);
	if (!value)
		cannot(name);
	return value;
}

/* Whether this run is that of the technique's variant `name`. */
SHARED int is(const char *name)
{
	return !strcmp(env("VARIANT"), name);
}

SHARED int number(const char *name)
{
	return atoi(env(name));
}

SHARED const char *mark(void)
{
	return env("MARK");
}

/* A limit of time on a machine that may be emulated. */
SHARED int patient(int limit)
{
	return limit * (getenv("SLOW") ? number("SLOW") : 1);
}

/* Every technique sends from a network namespace of the suite, never from the host's own, and ends by itself. */
__attribute__((constructor)) SHARED void begin(void)
{
	struct stat here, host;
	if (!stat("/proc/self/ns/net", &here) && !stat("/proc/1/ns/net", &host) && here.st_ino == host.st_ino)
		cannot("this is the host's own network");
	alarm(patient(4));
}

/* For techniques that prepare something before they are tagged. */
SHARED void wait_for_tag(void)
{
	puts("ready");
	fflush(stdout);
	alarm(0);
	if (getchar() == EOF)
		_exit(REFUSED);
	alarm(patient(4));
}

SHARED void write_file(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY), path);
	must(write(fd, text, strlen(text)), path);
	close(fd);
}

/* The descriptor that `tag: exec` takes along into its second life. */
enum { BROUGHT = 100 };

SHARED int is_second_life(void)
{
	return getenv("SECOND_LIFE") != NULL;
}

/* Ends the first life: the same program is executed confined, with `fd` open as BROUGHT. */
_Noreturn SHARED void go_on_confined(int fd)
{
	static char program[256], words[4096];
	char *argv[64] = {0}, procs[300];
	int count = 0;
	must(readlink("/proc/self/exe", program, sizeof(program) - 1), "readlink");
	snprintf(words, sizeof(words), "%s", env("CONFINE"));
	for (char *word = strtok(words, "\n"); word && count < 62; word = strtok(NULL, "\n"))
		argv[count++] = word;
	argv[count] = program;
	must(dup2(fd, BROUGHT), "dup2");
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", env("CGROUP_CONFINED"));
	write_file(procs, "0");
	setenv("SECOND_LIFE", "yes", 1);
	alarm(0);
	execvp(argv[0], argv);
	must(-1, argv[0]);
	abort();
}

SHARED struct sockaddr_in to4(const char *name)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(number("PORT"))};
	must(inet_pton(AF_INET, env(name), &to.sin_addr) - 1, name);
	return to;
}

SHARED struct sockaddr_in6 to6(const char *name)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(number("PORT"))};
	must(inet_pton(AF_INET6, env(name), &to.sin6_addr) - 1, name);
	return to;
}

SHARED void connect4(int fd, const char *name)
{
	struct sockaddr_in to = to4(name);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
}

SHARED int connected(int type, const char *name)
{
	int fd = must(socket(AF_INET, type, 0), "socket");
	connect4(fd, name);
	return fd;
}

SHARED void sendto4(int fd, const char *name)
{
	struct sockaddr_in to = to4(name);
	must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

SHARED void send_mark(int fd)
{
	must(send(fd, mark(), strlen(mark()), MSG_NOSIGNAL), "send");
}

/* A path or an abstract name that the helper knows as well. */
SHARED struct sockaddr_un beside_helper(const char *suffix, int is_abstract)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path + is_abstract, sizeof(name.sun_path) - is_abstract, "%s.%s", env("HELPER"), suffix);
	return name;
}

SHARED socklen_t length_of(const struct sockaddr_un *name)
{
	int is_abstract = !name->sun_path[0];
	return offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(name->sun_path + is_abstract);
}

SHARED const char *helper_file(const char *suffix)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s.%s", env("HELPER"), suffix);
	return path;
}

/* A connection to the helper's unix socket `suffix`. */
SHARED int helper_stream(const char *suffix)
{
	struct sockaddr_un name = beside_helper(suffix, 0);
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0), "unix socket");
	must(connect(fd, (struct sockaddr *)&name, length_of(&name)), "connect to the helper");
	return fd;
}

/* The descriptor that comes next through a unix socket. */
SHARED int receive_descriptor(int channel)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec text = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	int fd = -1;
	must(recvmsg(channel, &message, 0), "recvmsg");
	struct cmsghdr *said = CMSG_FIRSTHDR(&message);
	errno = EBADF;
	must(said && said->cmsg_type == SCM_RIGHTS ? 0 : -1, "a descriptor from the helper");
	memcpy(&fd, CMSG_DATA(said), sizeof(fd));
	return fd;
}

SHARED void send_descriptor(int channel, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec text = {"x", 1};
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	struct cmsghdr *said = CMSG_FIRSTHDR(&message);
	*said = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(said), &fd, sizeof(fd));
	must(sendmsg(channel, &message, 0), "pass a descriptor");
}

/* Waits until the helper has made a file. */
SHARED void wait_for_file(const char *suffix)
{
	for (int i = 0; i < patient(200) && access(helper_file(suffix), F_OK); i++)
		usleep(10000);
}

/* A descriptor that the helper `passer` makes: `what` is one of those it knows. */
SHARED int passed(int channel, const char *what)
{
	must(dprintf(channel, "%s\n", what), "ask the helper");
	return receive_descriptor(channel);
}

/* The common case: the channel to the helper exists before the tag, the descriptor comes after it. */
SHARED int passed_after_tag(const char *what)
{
	int channel = helper_stream("pass");
	wait_for_tag();
	return passed(channel, what);
}

SHARED int run(char *const argv[])
{
	int status = 0, child = must(fork(), "fork");
	if (!child) {
		execvp(argv[0], argv);
		_exit(CANNOT);
	}
	must(waitpid(child, &status, 0), argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : REFUSED;
}

/* A shell command of which every part must succeed. */
SHARED void shell(const char *command)
{
	char *argv[] = {"/bin/sh", "-ec", (char *)command, NULL};
	int status = run(argv);
	if (status == 127)
		cannot("a program is missing");
	errno = EPERM;
	must(status ? -1 : 0, command);
}

#endif

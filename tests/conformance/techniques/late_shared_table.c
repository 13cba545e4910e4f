// title: table of descriptors shared with an untagged process, which opens the socket after the tag
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// tag: late
// variants: tcp udp packet
// caps: net_raw
#include "packets.h"
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>

static int pipes[2][2];

/* A sibling, not a child: it is in the tree of whoever started this program. */
static int sibling(void *unused)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd;
	(void)unused;
	must(read(pipes[0][0], &fd, 1), "read");
	if (is("packet")) {
		fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
		must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	} else {
		fd = connected(is("tcp") ? SOCK_STREAM : SOCK_DGRAM, "TARGET4");
	}
	must(write(pipes[1][1], &fd, sizeof(fd)), "write");
	sleep(2);
	return 0;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct frame frame = udp_frame();
	int fd;
	must(pipe(pipes[0]) | pipe(pipes[1]), "pipe");
	must(clone(sibling, stack + sizeof(stack), CLONE_FILES | CLONE_PARENT | SIGCHLD, NULL), "clone");
	wait_for_tag();
	must(write(pipes[0][1], "x", 1), "write");
	must(read(pipes[1][0], &fd, sizeof(fd)) - sizeof(fd), "read");
	if (is("packet"))
		must(send(fd, frame.bytes, frame.size, 0), "send");
	else
		send_mark(fd);
	usleep(100000);
	return WENT_OUT;
}

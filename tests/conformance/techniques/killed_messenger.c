// title: child that makes what is forbidden in the table it shares, and may be killed for it; its parent sends
// row: killing is not undoing
// caps: net_raw sys_ptrace
// helper: passer
// variants: packet packet_qdisc_bypass compat_packet taken taken_packet uring
#include "packets.h"
#include "compat.h"
#include "ring.h"
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>

static struct io_uring_params params;

static int taken(int wants_packet)
{
	int owner, udp, packet;
	FILE *facts = fopen(helper_file("facts"), "r");
	must(facts && fscanf(facts, "%d %d %d", &owner, &udp, &packet) == 3 ? 0 : -1, "the helper's facts");
	return syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, owner, 0), wants_packet ? packet : udp, 0);
}

/* Its last system call: a signal that comes with it is acted upon when the descriptor is in the table. */
static int messenger(void *unused)
{
	(void)unused;
	if (is("packet") || is("packet_qdisc_bypass"))
		return socket(AF_PACKET, SOCK_RAW, 0) < 0;
	if (is("compat_packet"))
		return compat(COMPAT_SOCKET, AF_PACKET, SOCK_RAW, 0, 0, 0) < 0;
	if (is("uring"))
		return syscall(SYS_io_uring_setup, 8, &params) < 0;
	return taken(is("taken_packet")) < 0;
}

/* The highest descriptor: what the child has left. */
static int left_behind(int before)
{
	for (int fd = 255; fd > before; fd--) {
		int domain;
		socklen_t size = sizeof(domain);
		if (fcntl(fd, F_GETFD) >= 0 && (is("uring") || !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size)))
			return fd;
	}
	errno = EBADF;
	return must(-1, "nothing was left behind");
}

static void by_packet(int fd)
{
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int on = 1;
	if (is("packet_qdisc_bypass"))
		must(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)), "PACKET_QDISC_BYPASS");
	must(sendto(fd, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

static void by_ring(int fd)
{
	struct ring ring = ring_map(fd, params);
	struct frame frame = udp_frame();
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	struct io_uring_sqe *entry = ring_entry(&ring, IORING_OP_SOCKET, AF_PACKET);
	entry->off = SOCK_RAW;
	ring_enter(&ring, ring_publish(&ring), 1);
	int made = ((struct io_uring_cqe *)(ring.queues + ring.params.cq_off.cqes))[0].res;
	errno = made < 0 ? -made : 0;
	must(made, "socket(AF_PACKET) by io_uring");
	must(sendto(made, frame.bytes, frame.size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

int main(void)
{
	static char stack[1 << 17] __attribute__((aligned(16)));
	int status, before = must(dup(0), "dup");
	int child = must(clone(messenger, stack + sizeof(stack), CLONE_FILES | CLONE_VM | SIGCHLD, NULL), "clone");
	must(waitpid(child, &status, 0), "waitpid");
	int fd = left_behind(before);
	if (is("uring"))
		by_ring(fd);
	else if (is("taken"))
		send_mark(fd);
	else
		by_packet(fd);
	usleep(100000);
	return WENT_OUT;
}

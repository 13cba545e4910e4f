// title: network namespace in which the approved address is another host
// row: own or other network namespace
// caps: sys_admin
// helper: namespaces
// variants: entered own own_packet own_tagged_again socket_brought
#include "packets.h"
#include <linux/if_packet.h>
#include <sched.h>

/* The helper connects this process's new namespace to the world, as a container manager would. */
static void make_own(void)
{
	char path[300];
	must(unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare");
	snprintf(path, sizeof(path), "%s.wanted", env("HELPER"));
	int fd = must(open(path, O_CREAT | O_WRONLY, 0600), path);
	must(dprintf(fd, "%d\n", getpid()), path);
	wait_for_file("made");
}

static void enter(void)
{
	char path[64];
	int pid;
	FILE *facts = fopen(helper_file("facts"), "r");
	must(facts && fscanf(facts, "%d", &pid) == 1 ? 0 : -1, "the helper's facts");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	must(setns(must(open(path, O_RDONLY), path), CLONE_NEWNET), "setns");
}

/* Whoever makes a namespace may send raw frames in it. The other end has a hardware address that is known. */
static void send_frame(void)
{
	struct frame frame = {.size = sizeof(struct ethhdr)};
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex("way")};
	struct in_addr source;
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	memcpy(frame.bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0", frame.size);
	inet_pton(AF_INET, "192.0.3.2", &source);
	frame.size += udp_packet(frame.bytes + frame.size, source, to4("APPROVED4"));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	must(send(fd, frame.bytes, frame.size, 0), "send");
}

/* A socket of the other namespace, used in the old one. */
static int brought(void)
{
	int home = must(open("/proc/self/ns/net", O_RDONLY), "open");
	enter();
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	must(setns(home, CLONE_NEWNET), "setns");
	return fd;
}

int main(void)
{
	if (is("own_tagged_again") && !is_second_life()) {
		make_own();
		go_on_confined(0);
	}
	if (is_second_life()) {
		sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "APPROVED4");
	} else if (is("socket_brought")) {
		sendto4(brought(), "APPROVED4");
	} else if (is("own_packet")) {
		make_own();
		send_frame();
	} else {
		if (is("own"))
			make_own();
		else
			enter();
		sendto4(must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), "APPROVED4");
	}
	usleep(200000);
	return WENT_OUT;
}

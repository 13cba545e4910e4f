// title: descriptor that the confined program got from who started it
// row: sockets opened before the tag
// caps: net_raw
// tag: exec
// variants: tcp udp udp_unconnected raw packet in_flight uring_registered
#include "packets.h"
#include "ring.h"
#include <linux/if_packet.h>

static struct io_uring_params params;

/* A socket that only the ring knows. Where its parts are is told to the second life. */
static int ring_with_socket(void)
{
	struct ring ring = ring_made(0);
	int fd = connected(SOCK_DGRAM, "TARGET4");
	char text[2 * sizeof(params) + 1] = "";
	must(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &fd, 1), "register the socket");
	close(fd);
	for (size_t i = 0; i < sizeof(params); i++)
		snprintf(text + 2 * i, 3, "%02x", ((unsigned char *)&ring.params)[i]);
	setenv("RING", text, 1);
	must(fcntl(ring.fd, F_SETFD, 0), "no close-on-exec");
	return ring.fd;
}

static void by_ring(void)
{
	const char *text = env("RING");
	for (size_t i = 0; i < sizeof(params); i++)
		sscanf(text + 2 * i, "%2hhx", (unsigned char *)&params + i);
	struct ring ring = ring_map(BROUGHT, params);
	ring_send(&ring, 0)->flags = IOSQE_FIXED_FILE;
	ring_submit(&ring);
}

static int in_flight(void)
{
	int fd = connected(SOCK_STREAM, "TARGET4"), pair[2];
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	send_descriptor(pair[0], fd);
	close(fd);
	return pair[1];
}

static int packet_socket(void)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = number("IFINDEX")};
	int fd = must(socket(AF_PACKET, SOCK_RAW, 0), "socket(AF_PACKET)");
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	return fd;
}

static int opened(void)
{
	if (is("packet"))
		return packet_socket();
	if (is("raw"))
		return must(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), "socket");
	if (is("in_flight"))
		return in_flight();
	if (is("uring_registered"))
		return ring_with_socket();
	if (is("udp_unconnected"))
		return must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	return connected(is("tcp") ? SOCK_STREAM : SOCK_DGRAM, "TARGET4");
}

static void by_packet(void)
{
	struct frame frame = udp_frame();
	must(write(BROUGHT, frame.bytes, frame.size), "write");
}

static void by_raw(void)
{
	struct sockaddr_in to = to4("TARGET4");
	unsigned char packet[1500];
	size_t size = udp_packet(packet, own_address(), to);
	must(sendto(BROUGHT, packet, size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

int main(void)
{
	if (!is_second_life())
		go_on_confined(opened());
	if (is("packet"))
		by_packet();
	else if (is("raw"))
		by_raw();
	else if (is("in_flight"))
		send_mark(receive_descriptor(BROUGHT));
	else if (is("uring_registered"))
		by_ring();
	else if (is("udp_unconnected"))
		sendto4(BROUGHT, "TARGET4");
	else
		send_mark(BROUGHT);
	usleep(100000);
	return WENT_OUT;
}

// title: socket that an untagged helper passes
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// caps: net_raw
// variants: udp unconnected unconnected_sendmsg reconnected fresh_tcp packet raw
#include "packets.h"

static void by_packet(int fd)
{
	struct frame frame = udp_frame();
	must(send(fd, frame.bytes, frame.size, 0), "send");
}

static void by_raw(int fd)
{
	struct sockaddr_in to = to4("TARGET4");
	unsigned char packet[1500];
	size_t size = udp_packet(packet, own_address(), to);
	must(sendto(fd, packet, size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

static void by_sendmsg(int fd)
{
	struct sockaddr_in to = to4("TARGET4");
	struct iovec part = {(char *)mark(), strlen(mark())};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1};
	must(sendmsg(fd, &message, 0), "sendmsg");
}

static void by_connect(int fd)
{
	connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
	connect4(fd, "TARGET4");
	send_mark(fd);
}

int main(void)
{
	int fd = passed_after_tag(is("unconnected_sendmsg") ? "unconnected"
	                          : is("reconnected")       ? "udp"
	                                                    : env("VARIANT"));
	if (is("packet"))
		by_packet(fd);
	else if (is("raw"))
		by_raw(fd);
	else if (is("unconnected_sendmsg"))
		by_sendmsg(fd);
	else if (is("unconnected"))
		sendto4(fd, "TARGET4");
	else if (is("udp"))
		send_mark(fd);
	else
		by_connect(fd);
	usleep(100000);
	return WENT_OUT;
}

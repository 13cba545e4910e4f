// title: UDP with an option that changes how datagrams are cut, or what is in front of them
// row: TCP connect, UDP sendto/sendmsg/sendmmsg, connected UDP, reconnect, AF_UNSPEC
// variants: segment more cork flow_label traffic_class hop_by_hop destination_options turned_v4 encapsulation large
#include "technique.h"
#include <linux/in6.h>

enum { UDP_ENCAP_KIND = 2 };

static int of_six(void)
{
	return must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
}

static void set(int fd, int level, int option, int value, const char *what)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)), what);
}

/* One header of eight bytes with padding, as a control message: no capability is asked for padding. */
static void with_header(int type)
{
	struct sockaddr_in6 to = to6("TARGET6");
	unsigned char header[8] = {0, 0, 1, 4}, room[CMSG_SPACE(sizeof(header))] = {0};
	struct iovec part = {(char *)mark(), strlen(mark())};
	struct msghdr message = {.msg_name = &to,
	                         .msg_namelen = sizeof(to),
	                         .msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = room,
	                         .msg_controllen = sizeof(room)};
	struct cmsghdr *said = CMSG_FIRSTHDR(&message);
	*said = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(header)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = type};
	memcpy(CMSG_DATA(said), header, sizeof(header));
	must(sendmsg(of_six(), &message, 0), "sendmsg");
}

/* A label of one's own, in the address. */
static void with_flow_label(void)
{
	struct sockaddr_in6 to = to6("TARGET6");
	int fd = of_six();
	to.sin6_flowinfo = htonl(0x12345);
	must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

/* An IPv6 socket, connected to a mapped address, becomes one of IPv4. */
static void turned(void)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(number("PORT"))};
	char text[64];
	int fd = of_six();
	snprintf(text, sizeof(text), "::ffff:%s", env("TARGET4"));
	inet_pton(AF_INET6, text, &to.sin6_addr);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	set(fd, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET, "IPV6_ADDRFORM");
	send_mark(fd);
}

static void in_parts(void)
{
	struct sockaddr_in to = to4("TARGET4");
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	if (is("cork"))
		set(fd, IPPROTO_UDP, UDP_CORK, 1, "UDP_CORK");
	must(sendto(fd, mark(), strlen(mark()), is("more") ? MSG_MORE : 0, (struct sockaddr *)&to, sizeof(to)),
	     "sendto");
	if (is("cork"))
		set(fd, IPPROTO_UDP, UDP_CORK, 0, "UDP_CORK");
	else
		must(sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

/* Later fragments have no ports. Each has the mark. */
static void in_fragments(void)
{
	static char data[8000];
	struct sockaddr_in to = to4("TARGET4");
	for (size_t at = 0; at + strlen(mark()) < sizeof(data); at += strlen(mark()))
		memcpy(data + at, mark(), strlen(mark()));
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	must(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

int main(void)
{
	if (is("hop_by_hop") || is("destination_options")) {
		with_header(is("hop_by_hop") ? IPV6_HOPOPTS : IPV6_DSTOPTS);
	} else if (is("flow_label")) {
		with_flow_label();
	} else if (is("turned_v4")) {
		turned();
	} else if (is("large")) {
		in_fragments();
	} else if (is("more") || is("cork")) {
		in_parts();
	} else {
		int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
		if (is("segment"))
			set(fd, IPPROTO_UDP, UDP_SEGMENT, strlen(mark()), "UDP_SEGMENT");
		if (is("encapsulation"))
			set(fd, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_KIND, "UDP_ENCAP");
		if (is("traffic_class"))
			set(fd, IPPROTO_IP, IP_TOS, 0xfc, "IP_TOS");
		sendto4(fd, "TARGET4");
	}
	return WENT_OUT;
}

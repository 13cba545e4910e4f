// title: question to the approved server in the name of the forbidden address, which gets the answer
// row: source address of somebody else
// variants: freebind freebind_message
#include "technique.h"
#include <linux/in6.h>

/* IPv6 asks for no capability, and its routing does not look at the source. */
static int not_choosy(void)
{
	int on = 1, fd = must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
	must(setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)), "IPV6_FREEBIND");
	return fd;
}

static void send_as(int fd, struct in6_addr source)
{
	struct sockaddr_in6 to = to6("APPROVED6");
	struct in6_pktinfo from = {.ipi6_addr = source};
	unsigned char room[CMSG_SPACE(sizeof(from))] = {0};
	struct iovec part = {(char *)mark(), strlen(mark())};
	struct msghdr message = {.msg_name = &to,
	                         .msg_namelen = sizeof(to),
	                         .msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = room,
	                         .msg_controllen = sizeof(room)};
	struct cmsghdr *said = CMSG_FIRSTHDR(&message);
	*said = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(from)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
	memcpy(CMSG_DATA(said), &from, sizeof(from));
	must(sendmsg(fd, &message, 0), "sendmsg");
}

int main(void)
{
	struct sockaddr_in6 to = to6("APPROVED6"), from = to6("TARGET6");
	int fd = not_choosy();
	if (is("freebind_message")) {
		send_as(fd, from.sin6_addr);
	} else {
		must(bind(fd, (struct sockaddr *)&from, sizeof(from)), "bind");
		must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	}
	return WENT_OUT;
}

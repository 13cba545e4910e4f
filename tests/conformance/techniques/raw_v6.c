// title: raw IPv6 socket
// row: raw IP, IP_HDRINCL with a lying destination
// caps: net_raw
// variants: fragment routing_header jumbo lying_destination protocol
#include "packets.h"

enum { FOR_EXPERIMENTS = 253, NO_NEXT_HEADER = 59 };

/* A header of IPv6 that the kernel takes as it is, with one more header and the mark. */
static size_t packet(unsigned char *at, struct in6_addr target)
{
	struct ip6_hdr *ip = (struct ip6_hdr *)at;
	unsigned char *next = (unsigned char *)(ip + 1);
	size_t text = strlen(mark()), extra = is("routing_header") ? 24 : 8;
	*ip = (struct ip6_hdr){
		.ip6_flow = htonl(6 << 28), .ip6_plen = htons(extra + text), .ip6_hlim = 64, .ip6_dst = target};
	inet_pton(AF_INET6, env("SOURCE6"), &ip->ip6_src);
	memset(next, 0, extra);
	next[0] = NO_NEXT_HEADER;
	ip->ip6_nxt = is("fragment") ? IPPROTO_FRAGMENT : is("routing_header") ? IPPROTO_ROUTING : IPPROTO_HOPOPTS;
	if (is("routing_header")) {
		memcpy(next, (unsigned char[]){NO_NEXT_HEADER, 2, 4, 0}, 4);
		inet_pton(AF_INET6, env("APPROVED6"), next + 8);
	} else if (is("jumbo")) {
		memcpy(next, (unsigned char[]){NO_NEXT_HEADER, 0, 0xc2, 4}, 4);
	}
	memcpy(next + extra, mark(), text);
	return sizeof(*ip) + extra + text;
}

int main(void)
{
	unsigned char data[1500];
	struct sockaddr_in6 to = to6(is("lying_destination") ? "APPROVED6" : "TARGET6");
	struct sockaddr_in6 header = to6("TARGET6");
	int fd = must(socket(AF_INET6, SOCK_RAW, is("protocol") ? FOR_EXPERIMENTS : IPPROTO_RAW), "socket");
	size_t size = is("protocol") ? strlen(mark()) : packet(data, header.sin6_addr);
	to.sin6_port = 0;
	must(sendto(fd, is("protocol") ? (void *)mark() : data, size, 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	return WENT_OUT;
}

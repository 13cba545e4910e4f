/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that a technique builds itself. */
#ifndef PACKETS_H
#define PACKETS_H

#include "technique.h"

struct frame {
	unsigned char bytes[1514];
	size_t size;
};

SHARED uint16_t checksum(const void *data, size_t size)
{
	const unsigned char *at = data;
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += at[i] << 8 | at[i + 1];
	if (size & 1)
		sum += at[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

SHARED struct in_addr own_address(void)
{
	struct ifreq request = {0};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	strncpy(request.ifr_name, env("IFACE"), IFNAMSIZ - 1);
	must(ioctl(fd, SIOCGIFADDR, &request), "own address");
	close(fd);
	return ((struct sockaddr_in *)&request.ifr_addr)->sin_addr;
}

/* An IPv4 packet with UDP (no checksum: RFC 768 allows it) and the mark. Returns its size. */
SHARED size_t udp_packet(unsigned char *at, struct in_addr from, struct sockaddr_in to)
{
	struct iphdr *ip = (struct iphdr *)at;
	struct udphdr *udp = (struct udphdr *)(ip + 1);
	size_t text = strlen(mark()), size = sizeof(*ip) + sizeof(*udp) + text;
	*ip = (struct iphdr){.version = 4,
	                     .ihl = 5,
	                     .tot_len = htons(size),
	                     .ttl = 64,
	                     .protocol = IPPROTO_UDP,
	                     .saddr = from.s_addr,
	                     .daddr = to.sin_addr.s_addr};
	ip->check = checksum(ip, sizeof(*ip));
	*udp = (struct udphdr){.source = htons(40000), .dest = to.sin_port, .len = htons(sizeof(*udp) + text)};
	memcpy(udp + 1, mark(), text);
	return size;
}

SHARED void mac(const char *name, unsigned char out[6])
{
	unsigned byte[6];
	errno = EINVAL;
	must(sscanf(env(name), "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) - 6, name);
	for (int i = 0; i < 6; i++)
		out[i] = byte[i];
}

SHARED void own_mac(unsigned char out[6])
{
	struct ifreq request = {0};
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	strncpy(request.ifr_name, env("IFACE"), IFNAMSIZ - 1);
	must(ioctl(fd, SIOCGIFHWADDR, &request), "own hardware address");
	close(fd);
	memcpy(out, request.ifr_hwaddr.sa_data, 6);
}

SHARED struct frame ethernet(uint16_t type)
{
	struct frame made = {.size = sizeof(struct ethhdr)};
	struct ethhdr *header = (struct ethhdr *)made.bytes;
	mac("TARGET_MAC", header->h_dest);
	own_mac(header->h_source);
	header->h_proto = htons(type);
	return made;
}

/* A whole frame toward the forbidden address. */
SHARED struct frame udp_frame(void)
{
	struct frame made = ethernet(ETH_P_IP);
	made.size += udp_packet(made.bytes + made.size, own_address(), to4("TARGET4"));
	return made;
}

#endif

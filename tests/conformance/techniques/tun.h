/* SPDX-License-Identifier: Apache-2.0 */
/* A network device whose other end is a descriptor: what is written there arrives at the device. */
#ifndef TUN_H
#define TUN_H

#include "packets.h"
#include <linux/if_tun.h>

SHARED void device_up(const char *name, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in *at = (struct sockaddr_in *)&request.ifr_addr;
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	at->sin_family = AF_INET;
	inet_pton(AF_INET, address, &at->sin_addr);
	must(ioctl(fd, SIOCSIFADDR, &request), "SIOCSIFADDR");
	inet_pton(AF_INET, "255.255.255.0", &at->sin_addr);
	must(ioctl(fd, SIOCSIFNETMASK, &request), "SIOCSIFNETMASK");
	request.ifr_flags = IFF_UP;
	must(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
	close(fd);
}

SHARED int tun_made(int kind, struct ifreq *request)
{
	int fd = must(open("/dev/net/tun", O_RDWR), "/dev/net/tun");
	*request = (struct ifreq){.ifr_flags = kind | IFF_NO_PI};
	must(ioctl(fd, TUNSETIFF, request), "TUNSETIFF");
	device_up(request->ifr_name, "192.0.2.1");
	write_file("/proc/sys/net/ipv4/ip_forward", "1");
	return fd;
}

/* A packet from the device's own network, which the kernel forwards: it belongs to no socket. */
SHARED struct frame tun_packet(void)
{
	struct frame packet = {0};
	struct in_addr neighbour;
	inet_pton(AF_INET, "192.0.2.2", &neighbour);
	packet.size = udp_packet(packet.bytes, neighbour, to4("TARGET4"));
	return packet;
}

#endif

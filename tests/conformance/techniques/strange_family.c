// title: family that carries data over IP, or over frames, by itself
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// caps: net_raw
// variants: smc rxrpc llc pppoe
#include "packets.h"
#include <linux/if_pppox.h>
#include <linux/llc.h>
#include <linux/rxrpc.h>

static void by_smc(void)
{
	int fd = must(socket(AF_SMC, SOCK_STREAM, 0), "socket(AF_SMC)");
	connect4(fd, "TARGET4");
	send_mark(fd);
}

static void by_rxrpc(void)
{
	struct sockaddr_rxrpc to = {.srx_family = AF_RXRPC, .srx_service = 1, .transport_type = SOCK_DGRAM};
	unsigned char room[CMSG_SPACE(sizeof(long))] = {0};
	struct iovec part = {(char *)mark(), strlen(mark())};
	struct msghdr message = {.msg_name = &to,
	                         .msg_namelen = sizeof(to),
	                         .msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = room,
	                         .msg_controllen = sizeof(room)};
	struct cmsghdr *said = CMSG_FIRSTHDR(&message);
	*said = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(long)), .cmsg_level = SOL_RXRPC, .cmsg_type = RXRPC_USER_CALL_ID};
	*(long *)CMSG_DATA(said) = 1;
	to.transport_len = sizeof(to.transport.sin);
	to.transport.sin = to4("TARGET4");
	must(sendmsg(must(socket(AF_RXRPC, SOCK_DGRAM, AF_INET), "socket(AF_RXRPC)"), &message, 0), "sendmsg");
	usleep(200000);
}

static void by_llc(void)
{
	struct sockaddr_llc to = {.sllc_family = AF_LLC, .sllc_arphrd = 1, .sllc_sap = 0x80};
	int fd = must(socket(AF_LLC, SOCK_DGRAM, 0), "socket(AF_LLC)");
	mac("TARGET_MAC", to.sllc_mac);
	must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, env("IFACE"), strlen(env("IFACE"))), "SO_BINDTODEVICE");
	must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
}

/* A session that nobody opened: its frames go to the hardware address that it names. */
static void by_pppoe(void)
{
	struct sockaddr_pppox to = {.sa_family = AF_PPPOX, .sa_protocol = PX_PROTO_OE};
	int fd = must(socket(AF_PPPOX, SOCK_STREAM, PX_PROTO_OE), "socket(AF_PPPOX)");
	to.sa_addr.pppoe.sid = htons(7);
	mac("TARGET_MAC", to.sa_addr.pppoe.remote);
	strncpy(to.sa_addr.pppoe.dev, env("IFACE"), IFNAMSIZ - 1);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	send_mark(fd);
}

int main(void)
{
	if (is("smc"))
		by_smc();
	else if (is("rxrpc"))
		by_rxrpc();
	else if (is("llc"))
		by_llc();
	else
		by_pppoe();
	return WENT_OUT;
}

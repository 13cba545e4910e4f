// title: protocol of the INET families that few programs use
// row: UDP-Lite connect+send, ping sockets, SCTP, DCCP
// variants: sctp sctp_datagram dccp smc l2tp
#include "technique.h"

enum { L2TP = 115, SMC = 256, DCCP_SERVICE_LEVEL = 269, DCCP_SERVICE = 2 };

int main(void)
{
	int is_sctp = is("sctp") || is("sctp_datagram");
	int protocol = is_sctp ? IPPROTO_SCTP : is("dccp") ? IPPROTO_DCCP : is("smc") ? SMC : L2TP;
	int type = is("sctp_datagram") ? SOCK_SEQPACKET
	           : is("dccp")        ? SOCK_DCCP
	           : is("l2tp")        ? SOCK_DGRAM
	                               : SOCK_STREAM;
	int service = htonl(42), fd = must(socket(AF_INET, type, protocol), "socket");
	struct timeval soon = {.tv_usec = 500000};
	struct sockaddr_in to = to4("TARGET4");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	if (is("dccp"))
		setsockopt(fd, DCCP_SERVICE_LEVEL, DCCP_SERVICE, &service, sizeof(service));
	if (is("sctp_datagram")) {
		sendto4(fd, "TARGET4");
	} else {
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS && errno != ECONNREFUSED)
			must(-1, "connect");
		send(fd, mark(), strlen(mark()), MSG_NOSIGNAL);
	}
	return WENT_OUT;
}

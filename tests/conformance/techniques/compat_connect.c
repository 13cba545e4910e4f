// title: TCP by 32-bit socket, connect and sendmsg
// row: 32-bit system calls
#include "compat.h"

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	struct compat_message message = compat_message();
	int fd = must(compat(COMPAT_SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0), "socket");
	must(compat(COMPAT_CONNECT, fd, address(&to, sizeof(to)), sizeof(to), 0, 0), "connect");
	message.name = message.name_size = 0;
	must(compat(COMPAT_SENDMSG, fd, address(&message, sizeof(message)), 0, 0, 0), "sendmsg");
	return WENT_OUT;
}

// title: UDP by 32-bit sendmsg
// row: 32-bit system calls
#include "compat.h"

int main(void)
{
	struct compat_message message = compat_message();
	int fd = must(compat(COMPAT_SOCKET, AF_INET, SOCK_DGRAM, 0, 0, 0), "socket");
	must(compat(COMPAT_SENDMSG, fd, address(&message, sizeof(message)), 0, 0, 0), "sendmsg");
	return WENT_OUT;
}

// title: UDP by 32-bit sendmmsg
// row: 32-bit system calls
#include "compat.h"

int main(void)
{
	struct compat_message messages[1][2] = {{compat_message()}}; /* its length lies in the second's first word */
	int fd = must(compat(COMPAT_SOCKET, AF_INET, SOCK_DGRAM, 0, 0, 0), "socket");
	must(compat(COMPAT_SENDMMSG, fd, address(messages, sizeof(messages)), 1, 0, 0), "sendmmsg");
	return WENT_OUT;
}

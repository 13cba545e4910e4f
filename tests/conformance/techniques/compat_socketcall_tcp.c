// title: TCP by socketcall
// row: 32-bit system calls
#include "compat.h"

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	uint32_t fd = must(compat_socketcall(CALL_SOCKET, (uint32_t[6]){AF_INET, SOCK_STREAM}), "socketcall(socket)");
	must(compat_socketcall(CALL_CONNECT, (uint32_t[6]){fd, address(&to, sizeof(to)), sizeof(to)}),
	     "socketcall(connect)");
	must(compat_socketcall(CALL_SEND, (uint32_t[6]){fd, low_mark(), strlen(mark()), 0}), "socketcall(send)");
	return WENT_OUT;
}

// title: UDP by socketcall
// row: 32-bit system calls
#include "compat.h"

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	uint32_t fd = must(compat_socketcall(CALL_SOCKET, (uint32_t[6]){AF_INET, SOCK_DGRAM}), "socketcall(socket)");
	uint32_t send[6] = {fd, low_mark(), strlen(mark()), 0, address(&to, sizeof(to)), sizeof(to)};
	must(compat_socketcall(CALL_SENDTO, send), "socketcall(sendto)");
	return WENT_OUT;
}

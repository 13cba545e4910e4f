// title: system calls by their x32 numbers
// row: 32-bit system calls
#include "technique.h"

enum { X32 = 0x40000000 };

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	int fd = must(syscall(X32 | SYS_socket, AF_INET, SOCK_DGRAM, 0), "socket by its x32 number");
	must(syscall(X32 | SYS_sendto, fd, mark(), strlen(mark()), 0, &to, sizeof(to)), "sendto by its x32 number");
	return WENT_OUT;
}

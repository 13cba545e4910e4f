// title: AF_VSOCK to a helper on the same kernel
// row: AF_VSOCK, TIPC, RDS, SMC, ...
// helper: relay
#include "technique.h"
#include <linux/vm_sockets.h>

/* Never without this proof: where the loopback transport is missing, its number leads to the machine's host. */
static void must_be_local(void)
{
	struct sockaddr_vm at = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = VMADDR_PORT_ANY};
	int fd = must(socket(AF_VSOCK, SOCK_STREAM, 0), "socket(AF_VSOCK)");
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		cannot("no loopback transport of AF_VSOCK");
	close(fd);
}

int main(void)
{
	struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL};
	must_be_local();
	int fd = must(socket(AF_VSOCK, SOCK_STREAM, 0), "socket(AF_VSOCK)");
	to.svm_port = number("HELPER_PORT");
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	send_mark(fd);
	usleep(200000);
	return WENT_OUT;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A platform device for User-Mode Linux whose registers, memory and interrupts belong to an emulated GPU in another process.
 * The driver that binds to it is the kernel's own and knows nothing of this.
 *
 * Command line: "pantry_gpu.socket=PATH", the device's socket (protocol: wire.h), "iomem=pantry,FILE", a file of 2 MiB
 * whose pages user space gets when the driver lets it map a register page, and "dtb=FILE", the device tree with the node
 * that describes the GPU. With "iomem=frames,FILE" (pantry_frames.c), that file goes to the device too. Registers: every access is a request and a reply on the socket, with interrupts off. Memory: the
 * file behind this kernel's physical memory goes to the device once, offset = physical address = DMA address. Interrupts:
 * the device writes the number of a line that rises; levels come with each reply.
 *
 * All state is set up before the driver can bind and never torn down: the kernel halts when the device is gone. The socket
 * is guarded by interrupts being off, since User-Mode Linux has one CPU.
 */
#define pr_fmt(fmt) "pantry: " fmt

#include <linux/dma-mapping.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/logic_iomem.h>
#include <linux/moduleparam.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <irq_kern.h>
#include <mem.h>
#include <mem_user.h>
#include <os.h>

#include "wire.h"

/* A handler that leaves its line high this often in a row is not going to lower it. */
#define MAX_HANDLER_CALLS 64

extern unsigned long long physmem_size;

static char *socket;
module_param(socket, charp, 0);

static int device_fd = -1;
static int edges_fd = -1;
static u32 levels;
static int line_irq[PANTRY_LINES];

static const char *const line_names[PANTRY_LINES] = {
	[PANTRY_LINE_GPU] = "gpu",
	[PANTRY_LINE_JOB] = "job",
	[PANTRY_LINE_MMU] = "mmu",
};

static void receive(void *to, int bytes)
{
	while (bytes > 0) {
		int got = os_read_file(device_fd, to, bytes);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			panic("pantry: the device has hung up (%d)", got);
		to += got;
		bytes -= got;
	}
}

static u32 transfer(enum pantry_op op, u32 offset, u32 value)
{
	struct pantry_request request = {
		.op = op,
		.offset = offset,
		.value = value,
	};
	struct pantry_reply reply;
	unsigned long flags;
	int sent;

	local_irq_save(flags);
	do {
		sent = os_write_file(device_fd, &request, sizeof(request));
	} while (sent == -EINTR);
	if (sent != sizeof(request))
		panic("pantry: cannot send to the device (%d)", sent);
	receive(&reply, sizeof(reply));
	levels = reply.levels;
	local_irq_restore(flags);

	if (reply.status)
		pr_err("access %d at %#x: %d\n", op, offset, reply.status);
	return reply.value;
}

static unsigned long read_register(void *priv, unsigned int offset, int size)
{
	u64 value = transfer(PANTRY_READ32, offset, 0);

	WARN_ON(size != 4 && size != 8);
	if (size == 8)
		value |= (u64)transfer(PANTRY_READ32, offset + 4, 0) << 32;
	return value;
}

static void write_register(void *priv, unsigned int offset, int size,
			   unsigned long value)
{
	WARN_ON(size != 4 && size != 8);
	transfer(PANTRY_WRITE32, offset, value);
	if (size == 8)
		transfer(PANTRY_WRITE32, offset + 4, value >> 32);
}

static const struct logic_iomem_ops register_ops = {
	.read = read_register,
	.write = write_register,
};

static long map_registers(unsigned long offset, size_t size,
			  const struct logic_iomem_ops **ops, void **priv)
{
	*ops = &register_ops;
	return offset;
}

static const struct logic_iomem_region_ops region_ops = {
	.map = map_registers,
};

/* What one register read costs, in ns: /sys/module/pantry_gpu/parameters/read_ns. */
#define TIMED_READS 1000

static int get_read_ns(char *buffer, const struct kernel_param *param)
{
	u64 start = ktime_get_ns();
	int i;

	if (device_fd < 0)
		return -ENODEV;
	for (i = 0; i < TIMED_READS; i++)
		transfer(PANTRY_READ32, 0, 0);
	return sysfs_emit(buffer, "%llu\n", div_u64(ktime_get_ns() - start, TIMED_READS));
}

static const struct kernel_param_ops read_ns_ops = {
	.get = get_read_ns,
};
module_param_cb(read_ns, &read_ns_ops, NULL, 0444);

static irqreturn_t take_edges(int irq, void *data)
{
	u8 edges[64];
	int got, i, calls;

	for (;;) {
		got = os_read_file(edges_fd, edges, sizeof(edges));
		if (got == -EINTR)
			continue;
		if (got <= 0)
			break;
		for (i = 0; i < got; i++) {
			if (edges[i] >= PANTRY_LINES)
				continue;
			calls = 0;
			do {
				generic_handle_irq(line_irq[edges[i]]);
			} while (levels & BIT(edges[i]) &&
				 ++calls < MAX_HANDLER_CALLS);
			if (calls == MAX_HANDLER_CALLS)
				pr_warn_ratelimited("the %s line stays high\n",
						    line_names[edges[i]]);
		}
	}
	return IRQ_HANDLED;
}

static struct iomem_region *__init region_of(const char *driver)
{
	struct iomem_region *region = iomem_regions;

	while (region && strcmp(region->driver, driver))
		region = region->next;
	return region;
}

static int __init say_hello(void)
{
	struct pantry_hello hello = {
		.magic = PANTRY_WIRE_MAGIC,
		.version = PANTRY_WIRE_VERSION,
		.bytes = sizeof(hello),
		.flags = PANTRY_HAS_USER_PAGE,
		.dram_bytes = physmem_size & PAGE_MASK,
		.user_page_offset = 0x10000, /* of the page with LATEST_FLUSH_ID in the aperture */
	};
	struct iomem_region *region = region_of("pantry");
	struct iomem_region *frames = region_of("frames");
	struct pantry_welcome welcome;
	unsigned long long offset;
	int fds[4], edges[2], ret;

	if (!region || region->size < PANTRY_APERTURE_BYTES) {
		pr_err("no iomem=pantry,FILE of 2 MiB on the command line\n");
		return -ENODEV;
	}
	device_fd = os_connect_socket(socket);
	if (device_fd < 0) {
		pr_err("%s: %d\n", socket, device_fd);
		return device_fd;
	}
	ret = os_pipe(edges, 1, 1);
	if (ret < 0)
		return ret;
	edges_fd = edges[0];
	fds[0] = phys_mapping(0, &offset);
	fds[1] = edges[1];
	fds[2] = region->fd;
	if (frames) {
		fds[3] = frames->fd;
		hello.flags |= PANTRY_HAS_FRAME_OWNERS;
	}
	ret = os_sendmsg_fds(device_fd, &hello, sizeof(hello), fds, frames ? 4 : 3);
	os_close_file(edges[1]);
	if (ret != sizeof(hello)) {
		pr_err("%s: cannot greet the device: %d\n", socket, ret);
		return ret < 0 ? ret : -EIO;
	}
	receive(&welcome, sizeof(welcome));
	if (welcome.magic != PANTRY_WIRE_MAGIC || welcome.status) {
		pr_err("%s: the device refuses: %d\n", socket, welcome.status);
		return -EPROTO;
	}
	return 0;
}

static int __init make_lines(void)
{
	int base, i, ret;

	base = irq_alloc_descs(-1, UM_LAST_SIGNAL_IRQ, PANTRY_LINES, NUMA_NO_NODE);
	if (base < 0)
		return base;
	for (i = 0; i < PANTRY_LINES; i++) {
		line_irq[i] = base + i;
		irq_set_chip_and_handler_name(base + i, &dummy_irq_chip,
					      handle_simple_irq, line_names[i]);
		irq_clear_status_flags(base + i, IRQ_NOREQUEST | IRQ_NOAUTOEN);
	}
	ret = um_request_irq(UM_IRQ_ALLOC, edges_fd, IRQ_READ, take_edges,
			     IRQF_NO_THREAD, "pantry", line_irq);
	return ret < 0 ? ret : 0;
}

static int __init pantry_gpu_init(void)
{
	static struct resource registers = {
		.name = "pantry",
		.flags = IORESOURCE_MEM,
	};
	struct resource resources[1 + PANTRY_LINES] = {};
	struct platform_device_info info = {
		.name = "pantry-gpu",
		.id = PLATFORM_DEVID_NONE,
		.res = resources,
		.num_res = ARRAY_SIZE(resources),
		.dma_mask = DMA_BIT_MASK(48),
	};
	struct platform_device *device;
	struct device_node *node;
	unsigned long bytes, virt;
	int i, ret;

	if (!socket)
		return 0;
	node = of_find_node_by_path("/gpus/gpu");
	if (!node) {
		pr_err("the device tree has no /gpus/gpu\n");
		return -ENODEV;
	}
	ret = say_hello();
	if (!ret)
		ret = make_lines();
	if (ret)
		return ret;

	virt = find_iomem("pantry", &bytes);
	registers.start = uml_to_phys((void *)virt);
	registers.end = registers.start + PANTRY_APERTURE_BYTES - 1;
	ret = logic_iomem_add_region(&registers, &region_ops);
	if (ret) {
		pr_err("%pR is not free: %d\n", &registers, ret);
		return ret;
	}
	resources[0] = registers;
	for (i = 0; i < PANTRY_LINES; i++)
		resources[1 + i] = DEFINE_RES_IRQ_NAMED(line_irq[i], line_names[i]);
	info.fwnode = of_fwnode_handle(node);
	device = platform_device_register_full(&info);
	return PTR_ERR_OR_ZERO(device);
}
device_initcall_sync(pantry_gpu_init);

// SPDX-License-Identifier: MIT
//
// GPU_CONTROL: the identity of the GPU, its interrupt, its commands, power domains and the switch
// of the MCU. Offsets are from the start of the aperture. Sources: [K] Linux panthor, [B] Arm
// kbase, [M] Mesa. The values that a model reports are in model.h; the fields of the registers in
// gpu_control_fields.h.
#pragma once

#include <cstdint>

#include "gpu_emu/datasheet/gpu_control_fields.h"
#include "gpu_emu/datasheet/register.h"

namespace pantry::datasheet::gpu_control {

inline constexpr std::uint32_t kBase = 0x000;
inline constexpr std::uint32_t kBytes = 0x1000;

// Identity, constant. [K]
inline constexpr Register kGpuId = ro32(0x000, "GPU_ID");                  // fields: GpuId
inline constexpr Register kL2Features = ro32(0x004, "L2_FEATURES");        // fields: L2Features
inline constexpr Register kCoreFeatures = ro32(0x008, "CORE_FEATURES");    // 7:0 core variant
inline constexpr Register kTilerFeatures = ro32(0x00c, "TILER_FEATURES");  // fields: TilerFeatures
inline constexpr Register kMemFeatures = ro32(0x010, "MEM_FEATURES");      // fields: MemFeatures
inline constexpr Register kMmuFeatures = ro32(0x014, "MMU_FEATURES");      // fields: MmuFeatures
inline constexpr Register kAsPresent = ro32(0x018, "AS_PRESENT");  // bit n: address space n exists
inline constexpr Register kCsfId = ro32(0x01c, "CSF_ID");          // fields: CsfId

// The GPU interrupt; its bits are GpuIrq. The line is (RAWSTAT & MASK) != 0. [K]
inline constexpr Register kIrqRawstat = ro32(0x020, "GPU_IRQ_RAWSTAT");
inline constexpr Register kIrqClear = w1c32(0x024, "GPU_IRQ_CLEAR");
inline constexpr Register kIrqMask = rw32(0x028, "GPU_IRQ_MASK");  // survives a soft reset
inline constexpr Register kIrqStatus = ro32(0x02c, "GPU_IRQ_STATUS");

inline constexpr Register kCommand = wo32(0x030, "GPU_COMMAND");             // fields: Command [K]
inline constexpr Register kStatus = ro32(0x034, "GPU_STATUS");               // bits: GpuStatus [K]
inline constexpr Register kFaultStatus = ro32(0x03c, "GPU_FAULT_STATUS");    // FaultStatus [K]
inline constexpr Register kFaultAddress = ro64(0x040, "GPU_FAULT_ADDRESS");  // physical [K]
inline constexpr Register kL2Config = rw32(0x048, "L2_CONFIG");              // size, hash, PBHA [B]
inline constexpr Register kPwrKey = wo32(0x050, "PWR_KEY");                  // kPwrKeyUnlock [B]
inline constexpr Register kPwrOverride0 = rw32(0x054, "PWR_OVERRIDE0");
inline constexpr Register kPwrOverride1 = rw32(0x058, "PWR_OVERRIDE1");
inline constexpr Register kGpuFeatures = ro64(0x060, "GPU_FEATURES");  // 0 on v10 [K]
inline constexpr std::uint32_t kPwrKeyUnlock = 0x2968'a819;

// Time. Readers use HI, LO, HI. [K]
inline constexpr Register kTimestampOffset = rw64(0x088, "TIMESTAMP_OFFSET");  // added to TIMESTAMP
inline constexpr Register kCycleCount = ro64(0x090, "CYCLE_COUNT");            // see CommandTime
inline constexpr Register kTimestamp = ro64(0x098, "TIMESTAMP");               // the system counter

// Limits of shader threads, constant. [K]
inline constexpr Register kThreadMaxThreads = ro32(0x0a0, "THREAD_MAX_THREADS");
inline constexpr Register kThreadMaxWorkgroupSize = ro32(0x0a4, "THREAD_MAX_WORKGROUP_SIZE");
inline constexpr Register kThreadMaxBarrierSize = ro32(0x0a8, "THREAD_MAX_BARRIER_SIZE");
inline constexpr Register kThreadFeatures = ro32(0x0ac, "THREAD_FEATURES");       // ThreadFeatures
inline constexpr Register kTextureFeatures0 = ro32(0x0b0, "TEXTURE_FEATURES_0");  // bit per format
inline constexpr Register kTextureFeatures1 = ro32(0x0b4, "TEXTURE_FEATURES_1");
inline constexpr Register kTextureFeatures2 = ro32(0x0b8, "TEXTURE_FEATURES_2");
inline constexpr Register kTextureFeatures3 = ro32(0x0bc, "TEXTURE_FEATURES_3");

// Arguments of FLUSH_PA_RANGE, later architectures. [B]
inline constexpr Register kCommandArg0 = rw64(0x0d0, "GPU_COMMAND_ARG0");
inline constexpr Register kCommandArg1 = rw64(0x0d8, "GPU_COMMAND_ARG1");

// Power: one bit per core, tiler or L2 slice. PRESENT is constant; a 1 written to PWRON or PWROFF
// starts a transition, shown in PWRTRANS until READY has changed. [K]
inline constexpr Register kShaderPresent = ro64(0x100, "SHADER_PRESENT");
inline constexpr Register kTilerPresent = ro64(0x110, "TILER_PRESENT");
inline constexpr Register kL2Present = ro64(0x120, "L2_PRESENT");
inline constexpr Register kShaderReady = ro64(0x140, "SHADER_READY");
inline constexpr Register kTilerReady = ro64(0x150, "TILER_READY");
inline constexpr Register kL2Ready = ro64(0x160, "L2_READY");
inline constexpr Register kShaderPwrOn = wo64(0x180, "SHADER_PWRON");
inline constexpr Register kTilerPwrOn = wo64(0x190, "TILER_PWRON");
inline constexpr Register kL2PwrOn = wo64(0x1a0, "L2_PWRON");
inline constexpr Register kShaderPwrOff = wo64(0x1c0, "SHADER_PWROFF");
inline constexpr Register kTilerPwrOff = wo64(0x1d0, "TILER_PWROFF");
inline constexpr Register kL2PwrOff = wo64(0x1e0, "L2_PWROFF");
inline constexpr Register kShaderPwrTrans = ro64(0x200, "SHADER_PWRTRANS");
inline constexpr Register kTilerPwrTrans = ro64(0x210, "TILER_PWRTRANS");
inline constexpr Register kL2PwrTrans = ro64(0x220, "L2_PWRTRANS");
inline constexpr Register kShaderPwrActive = ro64(0x240, "SHADER_PWRACTIVE");
inline constexpr Register kTilerPwrActive = ro64(0x250, "TILER_PWRACTIVE");
inline constexpr Register kL2PwrActive = ro64(0x260, "L2_PWRACTIVE");

inline constexpr Register kRevId = ro32(0x280, "REVIDR");         // [K]
inline constexpr Register kAsnHash0 = rw32(0x2c0, "ASN_HASH_0");  // later architectures [B]
inline constexpr Register kAsnHash1 = rw32(0x2c4, "ASN_HASH_1");
inline constexpr Register kAsnHash2 = rw32(0x2c8, "ASN_HASH_2");

// What CoherencyFeatures and CoherencyProtocol describe. [K]
inline constexpr Register kCoherencyFeatures = ro32(0x300, "COHERENCY_FEATURES");
inline constexpr Register kCoherencyProtocol = rw32(0x304, "COHERENCY_PROTOCOL");

// SYSC_ALLOC[0..7]: system cache allocation hints. [B]
inline constexpr std::uint32_t kSyscAllocCount = 8;
inline constexpr Register kSyscAlloc0 = rw32(0x340, "SYSC_ALLOC");

inline constexpr Register kMcuControl = rw32(0x700, "MCU_CONTROL");  // a McuControl [K]
inline constexpr Register kMcuStatus = ro32(0x704, "MCU_STATUS");    // a McuStatus [K]

// Core stacks; Panthor leaves them alone. [B]
inline constexpr Register kStackPresent = ro64(0xe00, "STACK_PRESENT");
inline constexpr Register kStackReady = ro64(0xe10, "STACK_READY");
inline constexpr Register kStackPwrOn = wo64(0xe20, "STACK_PWRON");
inline constexpr Register kStackPwrOff = wo64(0xe30, "STACK_PWROFF");
inline constexpr Register kStackPwrTrans = ro64(0xe40, "STACK_PWRTRANS");

inline constexpr Register kCsfConfig = rw32(0xf00, "CSF_CONFIG");  // [B]
inline constexpr Register kShaderConfig = rw32(0xf04, "SHADER_CONFIG");
inline constexpr Register kTilerConfig = rw32(0xf08, "TILER_CONFIG");
inline constexpr Register kL2MmuConfig = rw32(0xf0c, "L2_MMU_CONFIG");

}  // namespace pantry::datasheet::gpu_control

/* SPDX-License-Identifier: BSD-2-Clause */
/* judge.c: what Storport would refuse, cut or misunderstand of what a miniport registers and configures. */
#include "tests/storport/wine/standin/port.h"

void standin_judge_registration(const struct host_registration *hw)
{
	if (hw->HwInitializationDataSize != sizeof(*hw))
		standin_fail("registration: %u bytes", hw->HwInitializationDataSize);
	if (!(hw->FeatureSupport & HOST_FEATURE_VIRTUAL_MINIPORT))
		standin_fail("registration: not virtual, HwFindAdapter would get six arguments");
	if (!hw->HwInitialize || !hw->HwStartIo || !hw->HwFindAdapter || !hw->HwResetBus ||
		!hw->HwAdapterControl || !hw->HwFreeAdapterResources)
		standin_fail("registration: a routine is missing");
	if (hw->HwProcessServiceRequest && !hw->HwCompleteServiceIrp)
		standin_fail("registration: HwCompleteServiceIrp is missing");
	if (hw->HwInitializeTracing && !hw->HwCleanupTracing)
		standin_fail("registration: HwCleanupTracing is missing");
	if (hw->AdapterInterfaceType || !hw->DeviceExtensionSize || !hw->SrbExtensionSize)
		standin_fail("registration: interface %u, %u bytes of extension, %u of each SRB",
			hw->AdapterInterfaceType, hw->DeviceExtensionSize, hw->SrbExtensionSize);
	if (hw->HwInterrupt || hw->HwDmaStarted || hw->HwAdapterState || hw->HwBuildIo ||
		hw->NumberOfAccessRanges)
		standin_fail("registration: what a virtual miniport has not");
	if (!hw->TaggedQueuing || !hw->AutoRequestSense || !hw->MultipleRequestPerLu)
		standin_fail("registration: a flag that must be TRUE");
	if (hw->Reserved || hw->Reserved1)
		standin_fail("registration: a reserved field is used");
	if (!(hw->AddressTypeFlags & HOST_ADDRESS_TYPE_FLAG_BTL8) ||
		!(hw->SrbTypeFlags & HOST_SRB_TYPE_FLAG_EXTENDED))
		standin_fail("registration: address types %u, SRB types %u", hw->AddressTypeFlags,
			hw->SrbTypeFlags);
}

/* What Storport would cut, or take for something else. */
static void judge_depths(const struct host_config *config)
{
	bool full = config->Dma64BitAddresses >= 2 && config->Dma64BitAddresses <= 4;
	if (config->MaxNumberOfIO < 16 || (config->MaxNumberOfIO > 1000 && !full))
		standin_fail("config: %u requests, addresses %02x", config->MaxNumberOfIO,
			config->Dma64BitAddresses);
	if (config->MaxIOsPerLun < 16 ||
		(config->MaxIOsPerLun > 255 && config->SrbType != HOST_SRB_TYPE_EXTENDED))
		standin_fail(
			"config: %u requests a unit, SRB type %u", config->MaxIOsPerLun, config->SrbType);
	if (config->MaxIOsPerLun > config->MaxNumberOfIO ||
		config->InitialLunQueueDepth > config->MaxIOsPerLun)
		standin_fail("config: depths %u, %u, %u", config->MaxNumberOfIO, config->MaxIOsPerLun,
			config->InitialLunQueueDepth);
	if (config->NumberOfPhysicalBreaks < config->MaximumTransferLength / 4096)
		standin_fail("config: %u breaks for %u bytes", config->NumberOfPhysicalBreaks,
			config->MaximumTransferLength);
	if (config->AlignmentMask & (config->AlignmentMask + 1))
		standin_fail("config: alignment mask %x", config->AlignmentMask);
	if (!config->MaximumNumberOfTargets || !config->MaximumNumberOfLogicalUnits)
		standin_fail("config: %u targets, %u LUNs", config->MaximumNumberOfTargets,
			config->MaximumNumberOfLogicalUnits);
}

bool standin_config_is_good(const struct host_config *config)
{
	standin_log(
		"config: %u targets, %u LUNs, %u bytes a transfer, map %u, %u and %u requests, SRB type %u",
		config->MaximumNumberOfTargets, config->MaximumNumberOfLogicalUnits,
		config->MaximumTransferLength, config->MapBuffers, config->MaxNumberOfIO,
		config->MaxIOsPerLun, config->SrbType);
	if (config->NumberOfBuses != 1)
		standin_fail("config: %u buses", config->NumberOfBuses);
	if (config->MaximumTransferLength < 1 << 20 || config->MaximumTransferLength >= 32 << 20)
		standin_fail("config: %u bytes a transfer", config->MaximumTransferLength);
	if (config->Length != sizeof(*config) || !config->VirtualDevice)
		standin_fail("config: a field of the port driver's was changed");
	judge_depths(config);
	return config->ScatterGather && config->Master && config->NeedPhysicalAddresses &&
	       config->TaggedQueuing;
}

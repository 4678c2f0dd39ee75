# SPDX-License-Identifier: BSD-2-Clause
# Lungfish.psd1: the manifest of the PowerShell module over lungfish.exe.
@{
    RootModule           = 'Lungfish.psm1'
    ModuleVersion        = '0.1.0'
    GUID                 = '6c756e67-6669-7368-b1a2-4d0f93c57e18'
    Author               = 'Lungfish'
    Copyright            = 'BSD-2-Clause'
    Description          = 'Connects disk and CD images to the Lungfish virtual SCSI adapter.'
    PowerShellVersion    = '5.1'
    CompatiblePSEditions = @('Desktop', 'Core')
    FunctionsToExport    = @('Connect-LungfishDisk', 'Disconnect-LungfishDisk', 'Get-LungfishDisk', 'Get-LungfishStatus')
    CmdletsToExport      = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
}

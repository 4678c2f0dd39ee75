# SPDX-License-Identifier: BSD-2-Clause
# Lungfish.psm1: lungfish.exe --json for PowerShell 5.1 and newer: objects in, objects out, errors as ErrorRecords.
Set-StrictMode -Version 3.0

# What lungfish ends with, in the words of PowerShell.
$ErrorCategories = @{
    2 = 'InvalidArgument'
    3 = 'ObjectNotFound'
    4 = 'ResourceBusy'
    5 = 'PermissionDenied'
    6 = 'ResourceUnavailable'
    8 = 'OperationTimeout'
    9 = 'NotImplemented'
}

# The one beside this module, else the one in PATH.
function Find-Program {
    $beside = Join-Path -Path $PSScriptRoot -ChildPath 'lungfish.exe'
    if (Test-Path -LiteralPath $beside -PathType Leaf) {
        return $beside
    }
    $found = Get-Command -Name 'lungfish' -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $found) {
        throw 'lungfish.exe is neither beside this module nor in PATH: copy it there'
    }
    return $found.Path
}

# One argument as the programs of Windows read it: Windows PowerShell 5.1 quotes none that has a quote or that ends
# with a backslash.
function ConvertTo-Argument([string] $Text) {
    if ($Text -cmatch '^[^\s"]+$') {
        return $Text
    }
    $escaped = $Text -creplace '(\\*)"', '$1$1\"'
    $escaped = $escaped -creplace '(\\+)$', '$1$1'
    return '"' + $escaped + '"'
}

# Runs lungfish with --json. The object that it prints; for each error an ErrorRecord by way of the caller's cmdlet.
# Fine: exit statuses that are no error. Names and paths stand behind '--': none of them is taken for an option.
function Invoke-Program([System.Management.Automation.PSCmdlet] $Caller, [string[]] $Arguments, [object] $Target,
    [int[]] $Fine = @(0)) {
    $start = [System.Diagnostics.ProcessStartInfo]::new()
    $start.FileName = Find-Program
    $start.Arguments = ((@('--json') + $Arguments) | ForEach-Object { ConvertTo-Argument $_ }) -join ' '
    $start.WorkingDirectory = (Get-Location -PSProvider FileSystem).ProviderPath
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    # lungfish writes UTF-8, whatever the console has.
    $start.StandardOutputEncoding = [System.Text.UTF8Encoding]::new($false)
    $start.StandardErrorEncoding = $start.StandardOutputEncoding
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        # Both at once: it would wait for ever for the one that nobody reads.
        $errorText = $process.StandardError.ReadToEndAsync()
        $output = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        $status = $process.ExitCode
        $complaints = $errorText.Result
    } finally {
        $process.Dispose()
    }
    if ($Fine -notcontains $status) {
        Write-Complaint -Caller $Caller -Status $status -Text $complaints -Target $Target
    }
    if ($output.Trim()) {
        return ConvertFrom-Json -InputObject $output
    }
}

# Each error is an object {"errors": [{"object", "message", "exit_status"}]}; several follow one another.
function Write-Complaint([System.Management.Automation.PSCmdlet] $Caller, [int] $Status, [string] $Text,
    [object] $Target) {
    $texts = @($Text -split '(?m)(?<=^\}\r?$)' | Where-Object { $_.Trim() })
    $told = 0
    foreach ($json in $texts) {
        try {
            $errors = @((ConvertFrom-Json -InputObject $json).errors)
        } catch {
            continue
        }
        foreach ($one in $errors) {
            $message = if ($one.object) { '{0}: {1}' -f $one.object, $one.message } else { $one.message }
            $Caller.WriteError((New-Complaint -Message $message -Status $one.exit_status -Target $Target))
            $told++
        }
    }
    if ($told -eq 0) {
        $message = "lungfish ended with status $Status"
        $Caller.WriteError((New-Complaint -Message $message -Status $Status -Target $Target))
    }
}

function New-Complaint([string] $Message, [int] $Status, [object] $Target) {
    $category = if ($ErrorCategories.ContainsKey($Status)) { $ErrorCategories[$Status] } else { 'NotSpecified' }
    $exception = [System.InvalidOperationException]::new($Message)
    [System.Management.Automation.ErrorRecord]::new($exception, "LungfishExit$Status", $category, $Target)
}

# A device of lungfish as an object, its sizes as unsigned numbers.
function ConvertTo-Disk([object] $Device) {
    [PSCustomObject] @{
        PSTypeName   = 'Lungfish.Disk'
        Id           = $Device.id
        Type         = $Device.type
        Size         = [uint64] $Device.size
        BlockSize    = [uint64] $Device.block_size
        PhysicalSize = [uint64] $Device.physical_size
        ReadOnly     = [bool] $Device.read_only
        Removable    = [bool] $Device.removable
        State        = $Device.state
        Kept         = [bool] $Device.kept
        Address      = $Device.address
        Lun          = [uint32] $Device.lun
        Image        = $Device.image
        Serial       = $Device.serial
        Vendor       = $Device.vendor
        Product      = $Device.product
    }
}

# Of a device that came through the pipeline, or of what somebody typed.
function Get-Id([object] $Of) {
    $property = $Of.PSObject.Properties['Id']
    if ($property) { "$($property.Value)" } else { "$Of" }
}

# A path of PowerShell, that may be relative to where PowerShell is and on a drive of its own, as lungfish takes it.
function Resolve-Image([System.Management.Automation.PSCmdlet] $Caller, [string] $Path) {
    $Caller.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Connect-LungfishDisk {
    <#
    .SYNOPSIS
    Connects images as disks or CD-ROM drives, and gives the devices back.
    .DESCRIPTION
    The image is opened with your own rights. An elevated PowerShell does not see the drives that were mapped without
    elevation: name the share. Needs an administrator's rights.
    .EXAMPLE
    Connect-LungfishDisk C:\images\disk.img
    .EXAMPLE
    Get-ChildItem C:\images\*.iso | Connect-LungfishDisk -CdRom
    .EXAMPLE
    Connect-LungfishDisk -Path C:\images\new.img -Create 20GB -Name data
    .EXAMPLE
    Connect-LungfishDisk -CdRom
    A drive without a disc.
    #>
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Low', PositionalBinding = $false)]
    [OutputType('Lungfish.Disk')]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)]
        [Alias('FullName', 'PSPath')]
        [string] $Path,
        [Parameter(Position = 1)]
        [string] $Name,
        [switch] $CdRom,
        [switch] $Removable,
        [switch] $ReadOnly,
        [uint32] $Lun,
        [uint32] $BlockSize,
        [uint32] $PhysicalSize,
        [string] $Serial,
        [string] $Vendor,
        [string] $Product,
        [string] $Rotation,
        [switch] $NoUnmap,
        [ValidateSet('on', 'off')]
        [string] $WriteCache,
        [uint64] $Create,
        [switch] $Persist
    )
    process {
        $arguments = @('connect')
        $image = ''
        if ($Name -and -not $Path) {
            $message = 'a name goes with a path: leave it out'
            $PSCmdlet.WriteError((New-Complaint -Message $message -Status 2 -Target $Name))
            return
        }
        if ($Path) {
            $image = Resolve-Image -Caller $PSCmdlet -Path $Path
        }
        if ($CdRom) { $arguments += '--cdrom' }
        if ($Removable) { $arguments += '--removable' }
        if ($ReadOnly) { $arguments += '--read-only' }
        if ($Persist) { $arguments += '--persist' }
        if ($NoUnmap) { $arguments += '--no-unmap' }
        if ($PSBoundParameters.ContainsKey('Lun')) { $arguments += @('--lun', "$Lun") }
        if ($BlockSize) { $arguments += @('--block-size', "$BlockSize") }
        if ($PhysicalSize) { $arguments += @('--physical-size', "$PhysicalSize") }
        if ($Serial) { $arguments += @('--serial', $Serial) }
        if ($Vendor) { $arguments += @('--vendor', $Vendor) }
        if ($Product) { $arguments += @('--product', $Product) }
        if ($Rotation) { $arguments += @('--rotation', $Rotation) }
        if ($WriteCache) { $arguments += @('--write-cache', $WriteCache) }
        if ($Create) { $arguments += @('--create', "$Create") }
        if ($image) { $arguments += @('--', $image) }
        if ($Name) { $arguments += $Name }
        $what = if ($image) { $image } else { 'an empty drive' }
        if ($PSCmdlet.ShouldProcess($what, 'connect')) {
            $answer = Invoke-Program -Caller $PSCmdlet -Arguments $arguments -Target $what
            if ($answer) {
                foreach ($device in $answer.devices) { ConvertTo-Disk $device }
            }
        }
    }
}

function Disconnect-LungfishDisk {
    <#
    .SYNOPSIS
    Takes devices away, when what is in flight has ended.
    .DESCRIPTION
    Windows is asked to let go of the disk first; who does not is named in the error. With -Force nobody is asked, and
    what was not written yet is lost. Needs an administrator's rights.
    .EXAMPLE
    Disconnect-LungfishDisk disk
    .EXAMPLE
    Get-LungfishDisk | Where-Object Type -eq 'cdrom' | Disconnect-LungfishDisk
    .EXAMPLE
    Disconnect-LungfishDisk -All -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium', DefaultParameterSetName = 'Some')]
    [OutputType([void])]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true, ParameterSetName = 'Some')]
        [object[]] $Id,
        [Parameter(Mandatory = $true, ParameterSetName = 'All')]
        [switch] $All,
        [switch] $Force
    )
    process {
        $options = @()
        if ($Force) { $options += '--force' }
        if ($All) {
            if ($PSCmdlet.ShouldProcess('every device', 'disconnect')) {
                $null = Invoke-Program -Caller $PSCmdlet -Arguments (@('disconnect', '--all') + $options) -Target $null
            }
            return
        }
        foreach ($one in $Id | ForEach-Object { Get-Id $_ }) {
            if ($PSCmdlet.ShouldProcess($one, 'disconnect')) {
                $arguments = @('disconnect') + $options + @('--', $one)
                $null = Invoke-Program -Caller $PSCmdlet -Arguments $arguments -Target $one
            }
        }
    }
}

function Get-LungfishDisk {
    <#
    .SYNOPSIS
    The devices, all or those that are named.
    .EXAMPLE
    Get-LungfishDisk
    .EXAMPLE
    Get-LungfishDisk disk | Select-Object -ExpandProperty Size
    .EXAMPLE
    'disk', 'cd' | Get-LungfishDisk
    #>
    [CmdletBinding()]
    [OutputType('Lungfish.Disk')]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)]
        [object[]] $Id
    )
    process {
        $arguments = @('list')
        if ($Id) { $arguments += @('--') + @($Id | ForEach-Object { Get-Id $_ }) }
        $answer = Invoke-Program -Caller $PSCmdlet -Arguments $arguments -Target $Id
        if ($answer) {
            foreach ($device in $answer.devices) { ConvertTo-Disk $device }
        }
    }
}

function Get-LungfishStatus {
    <#
    .SYNOPSIS
    Whether the driver is usable, and what helps when it is not.
    .EXAMPLE
    (Get-LungfishStatus).remedy
    #>
    [CmdletBinding()]
    param()
    process {
        # 6: it is not usable, which stands in what is printed as well.
        $answer = Invoke-Program -Caller $PSCmdlet -Arguments @('driver', 'status') -Target $null -Fine @(0, 6)
        if ($answer) { $answer.drivers }
    }
}

Export-ModuleMember -Function @(
    'Connect-LungfishDisk', 'Disconnect-LungfishDisk', 'Get-LungfishDisk', 'Get-LungfishStatus')

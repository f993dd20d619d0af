import type { HostPowers } from '../powers.ts'

/** Programs the sandbox needs, and the package each is in. */
export type NeededPackage = 'bubblewrap' | 'util-linux' | 'libc-bin'

type ReadPowers = Pick<HostPowers, 'readFile' | 'userId'>

const RELEASE_BYTES_MAX = 8192
const SETTING_BYTES_MAX = 64

/** How each family of distributions installs a package, by `ID` and `ID_LIKE` of os-release(5). */
const INSTALLERS: readonly (readonly [families: readonly string[], command: string])[] = [
  [['debian', 'ubuntu'], 'apt-get install -y'],
  [['fedora', 'rhel', 'centos'], 'dnf install -y'],
  [['arch'], 'pacman -S --noconfirm'],
  [['alpine'], 'apk add'],
  [['suse', 'opensuse'], 'zypper install -y'],
  [['nixos'], 'nix-env -iA']
]

/** The command that installs `name` on this machine. */
export async function installCommand(powers: ReadPowers, name: NeededPackage): Promise<string> {
  const release = await readText(powers, '/etc/os-release', RELEASE_BYTES_MAX)
  const families = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)]
    .flatMap((match) => (match[1] ?? '').split(/\s+/))
    .map((family) => (family.startsWith('opensuse') ? 'opensuse' : family))
  const installer = INSTALLERS.find(([known]) => known.some((family) => families.includes(family)))
  if (installer === undefined) return `install the package ${name} with this system's package manager`
  if (installer[1].startsWith('nix')) return `${installer[1]} nixos.${name}`
  return `${asRoot(powers)}${installer[1]} ${name}`
}

/** What keeps an ordinary user from making namespaces here, and the commands that allow it. */
export async function namespaceMending(powers: ReadPowers, bubblewrap: string): Promise<string[]> {
  const setting = async (path: string): Promise<string> =>
    (await readText(powers, path, SETTING_BYTES_MAX)).trim()
  const sudo = asRoot(powers)
  const commands: string[] = []
  if ((await setting('/proc/sys/kernel/unprivileged_userns_clone')) === '0') {
    commands.push(`${sudo}sysctl -w kernel.unprivileged_userns_clone=1`)
  }
  if ((await setting('/proc/sys/user/max_user_namespaces')) === '0') {
    commands.push(`${sudo}sysctl -w user.max_user_namespaces=15000`)
  }
  if ((await setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')) === '1') {
    const profile = `abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap ${bubblewrap} flags=(unconfined) {\\n  userns,\\n}\\n`
    commands.push(
      `printf '${profile}' | ${sudo}tee /etc/apparmor.d/bwrap && ${sudo}apparmor_parser -r /etc/apparmor.d/bwrap`
    )
  }
  if (commands.length === 0 && (await isContainer(powers))) {
    commands.push(
      'start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined'
    )
  }
  return commands
}

/** What comes before a command that only root may give. */
function asRoot({ userId }: ReadPowers): string {
  return userId === 0 ? '' : 'sudo '
}

async function isContainer(powers: ReadPowers): Promise<boolean> {
  if ((await powers.readFile('/.dockerenv', 1)) !== undefined) return true
  return (await powers.readFile('/run/.containerenv', 1)) !== undefined
}

async function readText(powers: ReadPowers, path: string, bytesMax: number): Promise<string> {
  const bytes = await powers.readFile(path, bytesMax)
  return bytes === undefined ? '' : new TextDecoder().decode(bytes)
}

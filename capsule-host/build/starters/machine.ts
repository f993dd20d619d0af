/** The program of a new capsule for a microVM. */
export function machineScript(name: string): string {
  return `# A capsule in a machine of its own: it has its standard streams and nothing else.
echo "hello, \${1:-world}, from ${name}"
exec cat
`
}

/** What its author reads first. */
export function machineReadme(name: string): string {
  return `# ${name}

    elastos capsule build ./${name}
    elastos capsule run ./${name} --dev
    elastos capsule publish ./${name}

\`root\` is what the machine has as its root, \`root/main.sh\` the program. What lies below \`root\` comes from the packages of Debian
that \`debian.json\` names, with all they depend on: add \`"lua5.4"\` or \`"python3-minimal"\` and call it from the script.

\`capsule build\` downloads them by the apt of this machine, which verifies them; nothing is installed here, and nothing of a package is
run: what its scripts would do at an installation is yours to put into \`root\`. \`debian.lock.*.json\` then holds their exact versions and
hashes, and building again makes the same image, byte for byte. Remove it to take what there is now.

Without apt, remove \`debian.json\` and put a static program into \`root\`; \`program\` in \`capsule.json\` says where it is.

A machine needs QEMU and a guest (kernel and first process): \`elastos doctor\` says what is missing and how to get it. An image is for the
processors it was built on: x86-64 or arm64.
`
}

/**
 * Which of two semantic versions comes first: negative when `a` does, 0 when neither. Both must be valid.
 *
 * @see https://semver.org/#spec-item-11
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  const byNumbers = comparePartLists(left.numbers, right.numbers)
  if (byNumbers !== 0) return byNumbers
  // A version without a prerelease is higher than one with.
  if (left.prerelease.length === 0 || right.prerelease.length === 0) {
    return right.prerelease.length - left.prerelease.length
  }
  return comparePartLists(left.prerelease, right.prerelease)
}

function partsOf(version: string): { numbers: string[]; prerelease: string[] } {
  const [withoutBuild = ''] = version.split('+')
  const dash = withoutBuild.indexOf('-')
  const numbers = dash === -1 ? withoutBuild : withoutBuild.slice(0, dash)
  return {
    numbers: numbers.split('.'),
    prerelease: dash === -1 ? [] : withoutBuild.slice(dash + 1).split('.')
  }
}

function comparePartLists(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]]
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    const order = compareParts(left, right)
    if (order !== 0) return order
  }
  return 0
}

function compareParts(a: string, b: string): number {
  const [isLeftNumber, isRightNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (isLeftNumber && isRightNumber) {
    const [left, right] = [BigInt(a), BigInt(b)]
    return left < right ? -1 : left > right ? 1 : 0
  }
  if (isLeftNumber !== isRightNumber) return isLeftNumber ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}

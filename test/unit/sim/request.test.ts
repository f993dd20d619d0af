import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { SCENARIOS } from '#sim'
import { argsForSeed, parseRequest, REQUEST_OPTIONS, type RunRequest } from '../../../sim/request.ts'
import { SCENARIO_BYTES_MAX } from '../../../sim/constants.ts'
import { readTextStart } from '../../../sim/powers.ts'
import { replayCommand } from '../../../sim/run-report.ts'

function requestOf(args: readonly string[]): RunRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: REQUEST_OPTIONS,
    allowPositionals: true
  })
  return parseRequest(positionals[0] ?? '', values, () => '')
}

describe('a request to simulate', () => {
  it('is made for each of its seeds, wherever the scenario stands among its options', () => {
    for (const args of [
      ['--seed=7', '--seeds=3', '--nodes=5', '--', 'meet-and-fetch'],
      ['--seeds=3', '--nodes=5', '--', 'meet-and-fetch'],
      ['meet-and-fetch', '--nodes', '5', '--seed', '7', '--seeds', '3']
    ]) {
      const { name, seed, seedCount, nodeCount } = requestOf(argsForSeed(args, 9))
      assert.deepEqual([name, seed, seedCount, nodeCount], ['meet-and-fetch', 9, 1, 5])
    }
  })

  it('of a file is refused where its lines would be faster than no time, or where nothing would ever come', () => {
    const request = (latencyMs: object): RunRequest =>
      parseRequest('mine.json', {}, () => JSON.stringify({ ...SCENARIOS['churn'], network: { latencyMs } }))
    assert.equal(request({ min: 5, max: 5 }).name, 'mine.json')
    for (const latencyMs of [
      { min: 0, max: -5 },
      { min: 1e300, max: 60_000 }
    ]) {
      assert.throws(() => request(latencyMs), { code: 'ERR_SIM_SCENARIO', message: /network\.latencyMs/ })
    }
  })

  it('reads no more of a file than a scenario may have', () => {
    const readText = (path: string): string => readTextStart(path, SCENARIO_BYTES_MAX + 1)
    assert.equal(readText('/dev/zero').length, SCENARIO_BYTES_MAX + 1)
    assert.throws(() => parseRequest('endless.json', {}, () => readText('/dev/zero')), {
      code: 'ERR_SIM_SCENARIO',
      message: /at most/
    })
    assert.match(readText(import.meta.filename), /^import .*reads no more of a file.*\}\)\n$/s)
  })

  it('is said again as one command, whatever its file is called', () => {
    assert.equal(replayCommand('./my-own.json', { seed: 7 }), 'elastos sim replay ./my-own.json --seed 7')
    for (const name of [
      'a b.json',
      '$(exit 9).json',
      "it's.json",
      ';.json',
      'a\nb.json',
      "'; exit 9 #.json"
    ]) {
      const [word = ''] = replayCommand(name, { seed: 7 })
        .slice('elastos sim replay '.length)
        .split(' --seed')
      assert.equal(execFileSync('/bin/sh', ['-c', `printf %s ${word}`], { encoding: 'utf8' }), name)
    }
  })

  it('writes no file of one seed over that of another', () => {
    for (const output of ['report', 'series', 'trace']) {
      assert.throws(() => requestOf(['churn', '--seeds', '2', `--${output}`, 'out']), {
        code: 'ERR_SIM_OPTION',
        message: new RegExp(`--${output}`)
      })
      assert.equal(requestOf(['churn', '--seeds', '1', `--${output}`, 'out']).seedCount, 1)
    }
  })
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { checkName, linkStaysInside, nameProblem, printableName } from '../../../content/entry-name.ts'

interface Vectors {
  names: string[]
  windows?: string[]
  targets: { target: string; depth: number }[]
}

function vectors(path: string): Vectors {
  return JSON.parse(readFileSync(new URL(`../../vectors/${path}.json`, import.meta.url), 'utf8')) as Vectors
}

describe('entry names', () => {
  it('lets ordinary names pass', () => {
    for (const name of vectors('content-name/valid').names)
      assert.equal(nameProblem(name, 'linux'), undefined, name)
  })

  it('refuses names that could leave the folder, hide, or speak to the terminal', () => {
    for (const name of vectors('content-name/invalid').names) {
      assert.throws(() => checkName(name, 'linux'), { code: 'ERR_PATH_UNSAFE' }, JSON.stringify(name))
    }
  })

  it('refuses what Windows reserves on Windows only', () => {
    for (const name of vectors('content-name/invalid').windows ?? []) {
      assert.throws(() => checkName(name, 'win32'), { code: 'ERR_PATH_UNSAFE' }, name)
      assert.equal(nameProblem(name, 'linux'), undefined, name)
    }
  })

  it('shows a hostile name without what makes it hostile', () => {
    const shown = vectors('content-name/invalid').names.map(printableName)
    for (const name of shown) {
      assert.match(name, /^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u)
      assert.ok(name.length <= 64)
    }
    assert.equal(printableName('\u001b[2Jhi'), '\\u{1b}[2Jhi')
  })
})

describe('targets of links', () => {
  it('lets those pass that stay inside', () => {
    for (const { target, depth } of vectors('link-target/valid').targets) {
      assert.equal(linkStaysInside(target, depth), true, JSON.stringify({ target, depth }))
    }
  })

  it('refuses those that lead out, or might through another link', () => {
    for (const { target, depth } of vectors('link-target/invalid').targets) {
      assert.equal(linkStaysInside(target, depth), false, JSON.stringify({ target, depth }))
    }
  })
})

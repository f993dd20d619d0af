import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#contracts'
import { buildCapsule, createToolServer, newCapsule, systemPowers, type ToolServer } from '#capsule-host'
import { needs } from '../../support/requirements.ts'
import { compileScript, runModule } from '../../support/script-capsule.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const signal = new AbortController().signal

const CALCULATOR = `
import { serveTools } from 'elastos/sdk'
await serveTools(capsule, {
  name: 'calculator',
  version: '1.0.0',
  tools: {
    add: {
      description: 'Adds two numbers.',
      inputSchema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
      call: ({ a, b }) => ({ sum: Number(a) + Number(b) })
    },
    fail: { description: 'Fails.', inputSchema: { type: 'object' }, call: async () => { throw new Error('not today') } }
  }
})
console.error('bye')
`

/** A server as one would write it for a desktop, with nothing of ours in it. */
const GO_SERVER = `package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type request struct {
	ID     *json.RawMessage \`json:"id"\`
	Method string           \`json:"method"\`
	Params struct {
		Name      string            \`json:"name"\`
		Arguments map[string]string \`json:"arguments"\`
	} \`json:"params"\`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var r request
		if json.Unmarshal(in.Bytes(), &r) != nil || r.ID == nil {
			continue
		}
		result := "{}"
		switch r.Method {
		case "initialize":
			result = \`{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"shout","version":"1"}}\`
		case "tools/list":
			result = \`{"tools":[{"name":"shout","inputSchema":{"type":"object"}}]}\`
		case "tools/call":
			text, _ := json.Marshal(strings.ToUpper(r.Params.Arguments["text"]))
			result = fmt.Sprintf(\`{"content":[{"type":"text","text":%s}]}\`, text)
		}
		fmt.Printf("{\\"jsonrpc\\":\\"2.0\\",\\"id\\":%s,\\"result\\":%s}\\n", *r.ID, result)
	}
}
`

async function withServer<T>(module: Uint8Array, use: (server: ToolServer) => Promise<T>): Promise<T> {
  const server = createToolServer({ clock: systemClock })
  const running = runModule(module, {
    stdin: server.stdin,
    onBytes: (bytes) => server.stdout.write(bytes)
  })
  try {
    return await use(server)
  } finally {
    server.close(new Error('done'))
    const { code, errors } = await running
    assert.equal(code, 0, errors)
  }
}

describe('tools in a capsule', () => {
  it('are listed and called, written with the SDK', async () => {
    await withServer(await compileScript(CALCULATOR), async (server) => {
      const tools = await server.listTools({ signal })
      assert.deepEqual(
        tools.map(({ name }) => name),
        ['add', 'fail']
      )
      const added = await server.callTool({ name: 'add', arguments: { a: 2, b: 40 } }, { signal })
      assert.deepEqual(added, { content: [{ type: 'text', text: '{"sum":42}' }], isError: false })
      const failed = await server.callTool({ name: 'fail', arguments: {} }, { signal })
      assert.deepEqual(failed, { content: [{ type: 'text', text: 'not today' }], isError: true })
      await assert.rejects(server.callTool({ name: 'constructor', arguments: {} }, { signal }), {
        code: 'ERR_MCP_REFUSED'
      })
    })
  })

  it('are those of a server for standard streams that was only compiled for WASI', async function () {
    this.timeout(180_000)
    await needs(this, 'go')
    await using parent = await createTemporaryFolder()
    const folder = join(parent.path, 'shout')
    await newCapsule(systemPowers, { name: 'shout', folder, language: 'go' })
    await writeFile(join(folder, 'main.go'), GO_SERVER)
    await buildCapsule({ powers: systemPowers, clock: systemClock }, { folder, signal })
    await withServer(await readFile(join(folder, 'build', 'shout.wasm')), async (server) => {
      const [tool] = await server.listTools({ signal })
      assert.equal(tool?.name, 'shout')
      const answer = await server.callTool({ name: 'shout', arguments: { text: 'hände "hoch"' } }, { signal })
      assert.deepEqual(answer.content, [{ type: 'text', text: 'HÄNDE "HOCH"' }])
    })
  })
})

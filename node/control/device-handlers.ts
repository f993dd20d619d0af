import type { Devices } from '../devices/devices.ts'
import type { HandlersOf } from './handlers.ts'

/** The owner's devices for commands. */
export function createDeviceHandlers(
  devices: Devices
): HandlersOf<'device.list' | 'device.add' | 'device.revoke'> {
  return {
    'device.list': async () => await Promise.resolve({ devices: devices.list() }),
    'device.add': async ({ code, name, first: isFirst = false }, { signal }) =>
      await devices.add(code, { name, isFirst, signal }),
    'device.revoke': async ({ device, first: isFirst = false }, { signal }) =>
      await devices.revoke(device, { isFirst, signal })
  }
}

"""A worker in Python: serves `py::reverse`, calls it, and comes back after a loss. See ../remote.md."""

import asyncio, json, os, uuid
from websockets.asyncio.client import connect  # pip install websockets
from websockets.exceptions import ConnectionClosed

URL = os.environ.get("GREENROOM_GATEWAY", "ws://127.0.0.1:38800/v1/gateway")
TOKEN = open(os.environ.get("GREENROOM_TOKEN_FILE", ".greenroom/token")).read().strip()


async def reverse(data, metadata):
    return data[::-1]


FUNCTIONS = {"py::reverse": reverse}


async def session(ws, place):
    waiting = {}  # our own calls, by id
    tasks = set()  # asyncio keeps no reference of its own

    async def send(**frame):
        await ws.send(json.dumps(frame))

    async def call(function_id, data):
        invocation_id = str(uuid.uuid4())
        waiting[invocation_id] = asyncio.get_running_loop().create_future()
        try:
            await send(type="invokefunction", invocation_id=invocation_id, function_id=function_id, data=data)
            return await asyncio.wait_for(waiting[invocation_id], 30)
        finally:
            waiting.pop(invocation_id, None)

    async def serve(frame):
        answer = {"type": "invocationresult", "invocation_id": frame["invocation_id"], "function_id": frame["function_id"]}
        try:
            answer["result"] = await FUNCTIONS[frame["function_id"]](frame["data"], frame.get("metadata"))
        except Exception as error:
            answer["error"] = {"code": "invocation_failed", "message": str(error)}
        await send(**answer)

    def spawn(work):
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def introduce():
        about = {"name": "python-worker", "runtime": "python", "pid": os.getpid()}
        await call("engine::workers::register", about)
        # Answered: everything before it has been handled, so py::reverse can be called.
        print("ready:", await call("py::reverse", "hello"), flush=True)

    if place:
        await send(type="reattach", previous_worker_id=place["worker_id"], reattach_token=place["reattach_token"])
    for function_id in FUNCTIONS:
        await send(type="registerfunction", id=function_id, description="Turns a text round.")
    spawn(introduce())
    try:
        async for message in ws:
            frame = json.loads(message)
            if frame["type"] == "workerregistered":
                place.update(frame)  # a secret: who has it may take this worker's place
            elif frame["type"] == "invokefunction":
                spawn(serve(frame))
            elif frame["type"] == "registrationrejected":
                print("refused:", frame["function_id"], frame["code"], flush=True)
            elif frame["type"] == "invocationresult" and (future := waiting.pop(frame["invocation_id"], None)):
                if "error" in frame:
                    future.set_exception(RuntimeError(f"{frame['error']['code']}: {frame['error']['message']}"))
                else:
                    future.set_result(frame.get("result"))
    finally:
        for future in waiting.values():  # answers come on the connection that asked, or not at all
            future.set_exception(ConnectionError("invocation_stopped"))
        waiting.clear()


async def main():
    place = {}
    # Connects again after each loss. max_size: the library reads 1 MiB by default, the runtime sends up to its maxMessageBytes.
    async for ws in connect(URL, additional_headers={"Authorization": f"Bearer {TOKEN}"}, max_size=16 * 1024 * 1024):
        try:
            await session(ws, place)
        except ConnectionClosed as lost:
            print("lost:", lost, flush=True)


asyncio.run(main())

%% The same questions put to Erlang/OTP: gen_server:call, gen_server:cast with proof that every message was handled, and
%% starting gen_servers. Compiled by erlc and run by the scenarios; prints one line of JSON. A wrong answer ends the VM
%% with code 1, because every answer is matched against its question.
%% A question is what it is for the others: a new map with a number and a text of about 60 bytes. Erlang copies it to the
%% server and back; nobody encodes JSON here.
-module(greenroom_bench).
-behaviour(gen_server).
-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2]).

%% In the one atomic that everybody looks at.
-define(WARM_UP, 0).
-define(MEASURE, 1).
-define(OVER, 2).
%% Messages of a client before it asks how many of its messages were handled.
-define(BURST, 63).

main(Arguments) ->
    try run(Arguments) of
        Line -> io:put_chars([Line, $\n]), halt(0)
    catch
        Class:Reason:Stack -> io:format(standard_error, "~p:~p~n~p~n", [Class, Reason, Stack]), halt(1)
    end.

%% call SERVERS WARM_UP_MS FOR_MS CLIENTS…
run(["call", Servers, WarmUpMs, ForMs | Clients]) ->
    Pool = start_servers(integer(Servers)),
    Times = {integer(WarmUpMs), integer(ForMs)},
    Rates = [io_lib:format("\"~s\":~.1f", [N, load(integer(N), Times, fun(Phase, Seed) -> caller(Phase, Pool, Seed, 0) end)]) || N <- Clients],
    ["{", lists:join(",", Rates), "}"];
%% latency FOR_MS: one client, one server; every call is timed.
run(["latency", ForMs]) ->
    Server = element(1, start_servers(1)),
    _ = timed_calls(Server, deadline(integer(ForMs) div 4), 1, []),
    Sorted = list_to_tuple(lists:sort(timed_calls(Server, deadline(integer(ForMs)), 1, []))),
    At = fun(Share) -> element(1 + trunc(Share * (tuple_size(Sorted) - 1)), Sorted) / 1000 end,
    io_lib:format("{\"p50Us\":~.3f,\"p99Us\":~.3f}", [At(0.5), At(0.99)]);
%% cast SERVERS WARM_UP_MS FOR_MS: one client for each server.
run(["cast", Servers, WarmUpMs, ForMs]) ->
    Pool = start_servers(integer(Servers)),
    Times = {integer(WarmUpMs), integer(ForMs)},
    Cast = fun(Phase, Seed) -> caster(Phase, element(Seed, Pool), 0, 0, 0) end,
    io_lib:format("{\"casts\":~.1f}", [load(integer(Servers), Times, Cast)]);
%% spawn PROCESSES CREATORS
run(["spawn", Processes, Creators]) ->
    {N, Many} = {integer(Processes), integer(Creators)},
    erlang:garbage_collect(),
    {BytesBefore, RssBefore} = {erlang:memory(total), rss_bytes()},
    StartNs = now_ns(),
    Self = self(),
    Pids = [spawn_link(fun() -> start_many(N div Many), Self ! {self(), started}, receive never -> ok end end) || _ <- lists:seq(1, Many)],
    [receive {Pid, started} -> ok end || Pid <- Pids],
    Seconds = (now_ns() - StartNs) / 1.0e9,
    Bytes = (erlang:memory(total) - BytesBefore) / N,
    io_lib:format("{\"perSecond\":~.1f,\"bytesEach\":~.1f,\"rssBytesEach\":~.1f}", [N / Seconds, Bytes, (rss_bytes() - RssBefore) / N]).

%% --- load ---

%% Completed in the measured window, per second. Client fails, then all fail: they are linked.
load(Clients, {WarmUpMs, ForMs}, Client) ->
    Phase = atomics:new(1, []),
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), Client(Phase, Seed)} end) || Seed <- lists:seq(1, Clients)],
    timer:sleep(WarmUpMs),
    StartNs = now_ns(),
    atomics:put(Phase, 1, ?MEASURE),
    timer:sleep(ForMs),
    atomics:put(Phase, 1, ?OVER),
    Nanoseconds = now_ns() - StartNs,
    lists:sum([receive {Pid, Count} -> Count after 20000 -> error(no_answer) end || Pid <- Pids]) * 1.0e9 / Nanoseconds.

caller(Phase, Pool, Seed, Count) ->
    Next = (Seed * 1103515245 + 12345) band 16#7fffffff,
    #{id := Id, text := Text} = Question = question(Next),
    #{id := Id, text := Text} = gen_server:call(element((Next bsr 8) rem tuple_size(Pool) + 1, Pool), Question, 20000),
    case atomics:get(Phase, 1) of
        ?WARM_UP -> caller(Phase, Pool, Next, 0);
        ?MEASURE -> caller(Phase, Pool, Next, Count + 1);
        ?OVER -> Count
    end.

%% The server has no other client, so it must have handled as many as were sent, and their numbers must add up.
caster(Phase, Server, Count, Sent, Sum) ->
    Last = Sent + ?BURST,
    BurstSum = cast_from(Server, Sent + 1, Last, 0),
    NewSum = Sum + BurstSum,
    {Last, NewSum} = gen_server:call(Server, report, 20000),
    case atomics:get(Phase, 1) of
        ?WARM_UP -> caster(Phase, Server, 0, Last, NewSum);
        ?MEASURE -> caster(Phase, Server, Count + ?BURST, Last, NewSum);
        ?OVER -> Count
    end.

cast_from(_Server, From, Last, Sum) when From > Last -> Sum;
cast_from(Server, From, Last, Sum) ->
    gen_server:cast(Server, question(From)),
    cast_from(Server, From + 1, Last, Sum + From).

timed_calls(Server, EndNs, Id, Samples) ->
    Question = question(Id),
    StartNs = now_ns(),
    Answer = gen_server:call(Server, Question, 20000),
    Ns = now_ns(),
    Question = Answer,
    case Ns < EndNs of
        true -> timed_calls(Server, EndNs, Id + 1, [Ns - StartNs | Samples]);
        false -> [Ns - StartNs | Samples]
    end.

question(Id) ->
    #{id => Id, text => <<"question ", (integer_to_binary(Id))/binary, ": please answer it as it is">>}.

%% --- servers ---

start_servers(Count) ->
    list_to_tuple([begin {ok, Pid} = gen_server:start_link(?MODULE, [], []), Pid end || _ <- lists:seq(1, Count)]).

start_many(0) -> ok;
start_many(Count) -> {ok, _} = gen_server:start(?MODULE, [], []), start_many(Count - 1).

init([]) -> {ok, {0, 0}}.
handle_call(report, _From, State) -> {reply, State, State};
handle_call(Question, _From, State) -> {reply, Question, State}.
handle_cast(#{id := Id, text := <<"question ", _/binary>>}, {Count, Sum}) -> {noreply, {Count + 1, Sum + Id}}.

%% --- clock and numbers ---

integer(Text) -> list_to_integer(Text).
now_ns() -> erlang:monotonic_time(nanosecond).
deadline(Ms) -> now_ns() + Ms * 1000000.

rss_bytes() ->
    case file:read_file("/proc/self/statm") of
        {ok, Text} -> list_to_integer(binary_to_list(lists:nth(2, binary:split(Text, <<" ">>, [global])))) * 4096;
        {error, _} -> 0
    end.
